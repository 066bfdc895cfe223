"""A tool fails when it is called alone, outside the crew.

## What it compares
Every call of the tool alone with success: none succeeded, alone or in the crew. A wait that its own timeout ended is
compared with that timeout. Failures that the arguments may have caused count only where the arguments were not
invented by crewdoctor: with invented ones, only a connection that fails, a bad gateway, a missing package or a
refused key does. A tool that keeps its failure to itself has failed all the same: nothing it asked for was answered.

## Why it matters
A failing tool does not fail the crew: its error text goes to the model, which tries again or makes something up, and
the process exits 0. What looks like a weak model is often a tool that never worked in this environment.

## Example
Tool `fetch_invoice` failed 1 of 1 calls alone: the service did not answer within its timeout of 2 s (tools.py:14).

## How to fix
Call the tool by hand with the same arguments until it works, then run the crew. Where the service needs longer than
the timeout allows, see CD312.

## References
- crewAI `agents/agent_executor.py`: a tool's exception becomes the observation the model reads
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget import InForce
from crewdoctor.calls import of_n, rounded_up
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Failure, FailureKind, Span
from crewdoctor.remedies import bounded_call, written_call
from crewdoctor.toolcalls import (
    OF_ARGUMENTS,
    TOOL_KEYS,
    ToolCalls,
    accuses,
    blocked_by_us,
    depends_on,
    failure_of,
    hosts,
    still_failing,
    tool_calls,
    wires,
)
from crewdoctor.waits import unfinished


@rule("CD305", since="0.1", needs=("span:tool.call",), uses=(*TOOL_KEYS, "ledger"))
def tool_fails_alone(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool that never succeeded and was seen to fail alone."""
    for calls in tool_calls(evidence):
        if any(_succeeded(evidence, span) for span in (*calls.alone, *calls.crew)):
            continue
        if any(unfinished(span) and not still_failing(evidence, span) for span in calls.alone):
            continue
        failed = [
            (span, failure)
            for span in (*calls.alone, *calls.crew)
            if (failure := _failure(evidence, span))
            and accuses(evidence, calls.tool, span, failure)
            and failure.kind is not FailureKind.TIMEOUT_LOCK  # CD330 says whose lock
            and not (evidence.program and failure.kind in OF_ARGUMENTS)
        ]
        if not any(_failure(evidence, span) for span in calls.alone) and not evidence.program:
            continue
        if failed and not any(_succeeded(evidence, span) for span in calls.loaded):
            yield _finding(evidence, calls, failed)


def _failure(evidence: Evidence, span: Span) -> Failure | None:
    trying = still_failing(evidence, span)
    return trying[0] if trying else failure_of(evidence, span)


def _fix(tool: ToolEntry, failure: Failure, known: InForce, requests: tuple[Span, ...]) -> Fix:
    if not failure.kind.is_timeout:
        return Fix("Make it work by hand first, with the same arguments", f"{tool.name}.run(...)")
    peer = "{host}:{port}".format(**requests[-1].attrs) if requests else "the service"
    title = f"See why {peer} takes longer than that, or allow for it"
    if not isinstance(known.timeout, Seconds):
        return Fix(f"{title}; call the tool by hand until it answers", f"{tool.name}.run(...)")
    client = str(requests[-1].attrs.get("client", "")) if requests else ""
    call = written_call(known.location.source if known.location else "")
    return Fix(title, bounded_call(client, call, rounded_up(3 * max(known.timeout.value, 2.0)), known.location).code)


def _succeeded(evidence: Evidence, span: Span) -> bool:
    return not unfinished(span) and not blocked_by_us(span) and failure_of(evidence, span) is None


def _finding(evidence: Evidence, calls: ToolCalls, failed: list[tuple[Span, Failure]]) -> Finding:
    tool = calls.tool
    span, failure = max(failed, key=lambda each: each[0].seconds())
    known = evidence.ledger.tool(tool.subject)
    asked = hosts(evidence, span)
    where = f" ({known.where})" if known.where else ""
    ids = tuple(each.id for each, _ in failed)
    alone = sum(1 for each in calls.alone if _failure(evidence, each))
    as_well = ", and in the crew as well" if calls.crew and all(_failure(evidence, each) for each in calls.crew) else ""
    times = f"{of_n(alone, len(calls.alone))} alone{as_well}"
    if not calls.alone:
        times = f"{of_n(len(failed), len(calls.crew))} in the program"
    requests = tuple(each for each in wires(evidence, span, "http.request") if not unfinished(each))
    took = span.seconds(evidence.end_of(span))
    measured = limit = None
    if failure.kind.is_timeout and isinstance(known.timeout, Seconds):
        text = f"the service did not answer within its timeout of {wording.limit(known.timeout)}{where}"
        if len(requests) > 1:
            trying = "it was still trying" if unfinished(span) else "it gave up"
            text += f" in any of {len(requests)} attempts; {trying} after {wording.seconds(took)}"
        measured = Quantity("wait for an answer", Seconds(round(took, 3)), n=len(failed))
        limit = Quantity("timeout", known.timeout, where=known.where)
        ids = (*ids, *known.ids)
    elif failure.kind.is_timeout:
        text = f"the service did not answer in time ({failure.kind.value} after {wording.seconds(took)})"
    else:
        said = f": {failure.text}" if failure.text else ""
        text = f"{failure.kind.value} after {wording.seconds(took)}{said}"
    if not unfinished(span) and span.failure is None and not span.attrs.get("error_text"):
        text += "; it returned an answer all the same"
    source = span.attrs.get("args_source")
    spent = sum(each.seconds(evidence.end_of(each)) for each in calls.crew)
    about = [*asked[:1], *([f"arguments {source}"] if source else [])]
    told = f" ({'; '.join(about)})" if about else ""
    return Finding(
        code="CD305",
        slug="tool_fails_alone",
        severity=Severity.ERROR,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=f"Tool `{tool.name}` failed {times}: {text}{told}.",
        evidence=tuple(dict.fromkeys(ids)),
        measured=measured,
        limit=limit,
        location=known.location if limit else tool.location,
        fix=_fix(tool, failure, known, requests),
        lost=max(spent, took),
        host=asked[0] if asked else "",
        depends_on=tuple(dict.fromkeys((*depends_on(evidence, span), *tool.endpoints))),
    )
