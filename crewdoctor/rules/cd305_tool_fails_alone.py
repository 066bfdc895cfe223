"""A tool fails when it is called alone, outside the crew.

## What it compares
Every call of the tool alone with success: none succeeded, alone or in the crew. A wait that its own timeout ended is
compared with that timeout. Failures that the arguments may have caused count only where the arguments were not
invented by crewdoctor: with invented ones, only a connection that fails, a bad gateway, a missing package or a
refused key does.

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
from crewdoctor.calls import of_n
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Failure, FailureKind, Span
from crewdoctor.toolcalls import (
    TOOL_KEYS,
    ToolCalls,
    accuses,
    blocked_by_us,
    depends_on,
    failure_of,
    hosts,
    tool_calls,
)
from crewdoctor.waits import unfinished


@rule("CD305", since="0.1", needs=("span:tool.call",), uses=(*TOOL_KEYS, "ledger"))
def tool_fails_alone(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool that never succeeded and was seen to fail alone."""
    for calls in tool_calls(evidence):
        if any(_succeeded(evidence, span) for span in (*calls.alone, *calls.crew)) or any(map(unfinished, calls.alone)):
            continue
        failed = [
            (span, failure)
            for span in (*calls.alone, *calls.crew)
            if (failure := failure_of(evidence, span))
            and accuses(evidence, calls.tool, span, failure)
            and failure.kind is not FailureKind.TIMEOUT_LOCK  # CD330 says whose lock
        ]
        if not any(failure_of(evidence, span) for span in calls.alone):
            continue
        if failed and not any(_succeeded(evidence, span) for span in calls.loaded):
            yield _finding(evidence, calls, failed)


def _cure(failure: Failure, peer: str) -> str:
    if failure.kind.is_timeout:
        return f"See why {peer} takes longer than that, or allow for it; call the tool by hand until it answers"
    return "Make it work by hand first, with the same arguments"


def _succeeded(evidence: Evidence, span: Span) -> bool:
    return not unfinished(span) and not blocked_by_us(span) and failure_of(evidence, span) is None


def _finding(evidence: Evidence, calls: ToolCalls, failed: list[tuple[Span, Failure]]) -> Finding:
    tool = calls.tool
    span, failure = max(failed, key=lambda each: each[0].seconds())
    known = evidence.ledger.tool(tool.subject)
    asked = hosts(evidence, span)
    where = f" ({known.where})" if known.where else ""
    ids = tuple(each.id for each, _ in failed)
    alone = sum(1 for each in calls.alone if failure_of(evidence, each))
    as_well = (
        ", and in the crew as well" if calls.crew and all(failure_of(evidence, each) for each in calls.crew) else ""
    )
    measured = limit = None
    if failure.kind.is_timeout and isinstance(known.timeout, Seconds):
        text = f"the service did not answer within its timeout of {wording.limit(known.timeout)}{where}"
        measured = Quantity("wait for an answer", Seconds(round(span.seconds(), 3)), n=len(failed))
        limit = Quantity("timeout", known.timeout, where=known.where)
        ids = (*ids, *known.ids)
    elif failure.kind.is_timeout:
        text = f"the service did not answer in time ({failure.kind.value} after {wording.seconds(span.seconds())})"
    else:
        said = f": {failure.text}" if failure.text else ""
        text = f"{failure.kind.value} after {wording.seconds(span.seconds())}{said}"
    source = span.attrs.get("args_source")
    spent = sum(each.seconds(evidence.end_of(each)) for each in calls.crew)
    peer = f", {asked[0]}" if asked else ""
    return Finding(
        code="CD305",
        slug="tool_fails_alone",
        severity=Severity.ERROR,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=(
            f"Tool `{tool.name}` failed {of_n(alone, len(calls.alone))} alone{as_well}: {text} (span {span.id}{peer}"
            f"{f'; arguments {source}' if source else ''})."
        ),
        evidence=tuple(dict.fromkeys(ids)),
        measured=measured,
        limit=limit,
        location=known.location if limit else tool.location,
        fix=Fix(_cure(failure, asked[0] if asked else "the service"), f"{tool.name}.run(...)"),
        lost=max(spent, span.seconds()),
        host=asked[0] if asked else "",
        depends_on=tuple(dict.fromkeys((*depends_on(evidence, span), *tool.endpoints))),
    )
