"""A tool's own timeout is shorter than its service needs, or nearly so.

## What it compares
The timeout in force in the tool with the latency of its calls, alone and four at a time. Error when the service
answered some calls and the tool's timeout cut others off. Warning when all were answered, the timeout was written by
somebody, and it is less than twice the longest (from 0.5 s; both ours).

## Why it matters
The tool gives up on an answer that was on its way, and the crew does not fail: the error text goes to the model,
which asks again. The service does the same work several times for nobody.

## Example
`timeout=2` in tools.py:14; alone the service takes 1.4 s, four at once take up to 5.6 s, three of them are cut off.

## How to fix
Allow about three times the longest measured latency, or make the service faster; and where it is slow only among
others, call it less at once (CD306).

## References
- AWS Builders' Library, "Timeouts, retries and backoff with jitter": choose a timeout from a latency percentile
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget import InForce
from crewdoctor.calls import of_n, overload, rounded_up
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Quantity, Severity
from crewdoctor.model.inventory import ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Span
from crewdoctor.remedies import bounded_call, written_call
from crewdoctor.toolcalls import TOOL_KEYS, depends_on, failure_of, hosts, tool_calls, wires
from crewdoctor.waits import unfinished

MARGIN, FLOOR = 2.0, 0.5


@rule("CD312", since="0.1", needs=("span:tool.call", "ledger"), uses=TOOL_KEYS)
def tool_timeout_below_latency(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool whose timeout cuts off what its service answers, or nearly."""
    for calls in tool_calls(evidence):
        known = evidence.ledger.tool(calls.tool.subject)
        if not isinstance(known.timeout, Seconds):
            continue
        cut = [span for span in calls.every if _cut_off(evidence, span)]
        answered = [span for span in calls.every if not unfinished(span) and failure_of(evidence, span) is None]
        longest = max((_latency(evidence, span) for span in answered), default=0.0)
        if not answered:
            continue
        if cut:
            yield _finding(evidence, calls.tool, known, cut, answered, longest=longest)
        elif known.written and longest >= FLOOR and known.timeout.value < MARGIN * longest:
            yield _finding(evidence, calls.tool, known, [], answered, longest=longest)


def _cut_off(evidence: Evidence, span: Span) -> bool:
    failure = failure_of(evidence, span)
    return failure is not None and failure.kind.value in {"timeout.read", "timeout.total"}


def _latency(evidence: Evidence, span: Span) -> float:
    """The longest wait for one answer, without the queue for a connection; the whole call where no wire was seen."""
    waited = [
        float(first) if isinstance(first := each.attrs.get("first_byte"), (int, float)) else each.seconds()
        for request in wires(evidence, span, "http.request")
        if request.failure is None
        for each in evidence.children(request, "net.exchange") or (request,)
    ]
    return max(waited, default=0.0 if wires(evidence, span) else span.seconds())


def _finding(
    evidence: Evidence, tool: ToolEntry, known: InForce, cut: list[Span], answered: list[Span], *, longest: float
) -> Finding:
    assert isinstance(known.timeout, Seconds)
    slowest = max(answered, key=lambda span: _latency(evidence, span))
    shown = cut or [slowest]
    measured = max(longest, *(span.seconds() for span in cut)) if cut else longest
    wanted = rounded_up(3 * measured)
    asked = hosts(evidence, shown[0])
    requests = [each for span in shown for each in wires(evidence, span, "http.request")]
    client = str(requests[0].attrs.get("client", "")) if requests else ""
    where = f" ({known.where})" if known.where else ""
    if cut:
        text = (
            f"{of_n(len(cut), len(cut) + len(answered))} were cut off by it; the others were answered after up to "
            f"{wording.seconds(longest)}"
        )
    else:
        text = f"answers took up to {wording.seconds(longest)} ({wording.sample(len(answered))}), more than half of it"
    return Finding(
        code="CD312",
        slug="tool_timeout_below_latency",
        severity=Severity.ERROR if cut else Severity.WARNING,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=(
            f"Tool `{tool.name}` has a timeout of {wording.limit(known.timeout)}{where}: {text}.{overload(evidence)}"
        ),
        evidence=tuple(dict.fromkeys((*(span.id for span in shown), *known.ids))),
        measured=Quantity("longest latency", Seconds(round(measured, 3)), n=len(cut) + len(answered)),
        limit=Quantity("timeout", known.timeout, where=known.where),
        location=known.location or tool.location,
        fix=bounded_call(client, written_call(known.location.source if known.location else ""), wanted, known.location),
        lost=sum(span.seconds() for span in cut),
        host=asked[0] if asked else "",
        depends_on=depends_on(evidence, shown[0]),
        observed=bool(cut),
    )
