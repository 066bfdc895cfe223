"""A tool that failed answered with the error as if it were a result, and the crew went on.

## What it compares
Calls of a tool in the crew that returned normally, with what happened within them: a request that ran into a timeout or
got no connection and was never answered, or an answer the recorder knows as an error's text. And that the crew went on
to its end without failing.

## Why it matters
The text goes to the model, which sums up an error message, or makes something up around it; the crew ends with exit
code 0. Nobody is told that the service did not answer, and no retry is made where an exception would have caused one.

## Example
`except requests.Timeout: return "error"`: the tool's request ended after 5.0 s without an answer; the crew finished.

## How to fix
Let the exception out: crewAI tells the model that the tool failed, and the event says so. Where a text is better for
the model, log the failure beside it.

## References
- crewAI `agents/agent_executor.py`: a tool's exception becomes a failed `ToolUsage` event
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.span import Failure, Span
from crewdoctor.toolcalls import TOOL_KEYS, ToolCalls, accuses, blocked_by_us, depends_on, failure_of, hosts, tool_calls
from crewdoctor.waits import unfinished


@rule("CD308", since="0.1", needs=("span:tool.call", "span:crew.kickoff"), uses=TOOL_KEYS)
def tool_error_returned_as_answer(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool whose failure in the crew was told as an answer."""
    well = {span.step for span in evidence.spans("crew.kickoff") if span.failure is None and not unfinished(span)}
    for calls in tool_calls(evidence):
        swallowed = [
            (span, failure)
            for span in calls.crew
            if span.step in well
            and span.failure is None
            and not blocked_by_us(span)
            and (failure := failure_of(evidence, span)) is not None
            and accuses(evidence, calls.tool, span, failure)
        ]
        if swallowed:
            yield _finding(evidence, calls, swallowed)


def _finding(evidence: Evidence, calls: ToolCalls, swallowed: list[tuple[Span, Failure]]) -> Finding:
    tool = calls.tool
    span, failure = max(swallowed, key=lambda each: each[0].seconds())
    count = f"{len(swallowed)} of {wording.plural(len(calls.crew), 'call')}"
    asked = hosts(evidence, span)
    to = f" from {asked[0]}" if asked else ""
    return Finding(
        code="CD308",
        slug="tool_error_returned_as_answer",
        severity=Severity.WARNING,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=(
            f"Tool `{tool.name}` got no answer{to} ({failure.kind.value}, after {wording.seconds(span.seconds())}) and "
            f"returned as if it had one ({count}); the crew went on and ended without an error."
        ),
        evidence=tuple(each.id for each, _ in swallowed),
        location=tool.location,
        fix=Fix("Let the exception out: the model is told, and so are you", "raise"),
        host=asked[0] if asked else "",
        depends_on=depends_on(evidence, span),
    )
