"""When to stop waiting before a deadline does: a hang is paid once, and what does not move has told what it can. Pure.

Asked about once a second for every running step. The full crew is ended at the first recurrence of a hang that was
already measured, and when nothing (no byte, span or event) has moved for longer than anything like it ever took.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crewdoctor.model.plan import Step
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.span import FailureKind
from crewdoctor.reading import CPU, Live, LiveStep, Open

TOOL_ALONE, MODEL_ALONE = "tool.isolated", "llm.sdk"
WHOLE = frozenset({"crew.kickoff", "agent.bisect"})
RECURRENCE = 3.0
"""Seconds after which the same call, blocked again, is the same hang."""
RECURRENCE_UNSEEN = 6.0
"""The same where no stack was taken yet."""
STILL = 10.5
"""Seconds without a byte or span after which a tool alone hangs; one that still tries or reads has its whole step."""
LEAST, MOMENT = 4.0, 2.0
"""Seconds a tool is given where its lane's time is used up, and kept for each tool still to come."""
QUIET = 20.0
TIMES_LONGEST = 3.0
GRACE = 2.0
"""Seconds a timeout may be late."""
ENDED = tuple(kind for kind in FailureKind if kind.is_timeout or kind is FailureKind.CANCELLED)
"""Ways in which a clock of the client's ends a call."""
LIMITED = FailureKind.HTTP_RATE_LIMITED.value


def verdict(live: LiveStep, results: Sequence[StepResult], now: float) -> str:
    """Say why the step should be ended now (seconds since the recording's zero); empty: let it go on."""
    if live.step.probe == TOOL_ALONE:
        return _tool_alone(Live.read(live, now), results)
    if live.step.probe in WHOLE:
        seen = Live.read(live, now)
        return (
            _recurrence(seen, results)
            or _cut_off_again(seen, results)
            or _given_up(seen)
            or _limited_again(seen)
            or _nothing_moves(seen, results)
        )
    return ""


def hung_tools(results: Iterable[StepResult]) -> frozenset[str]:
    """Subjects of tools that did not answer even once when called alone."""
    return frozenset(
        result.step.subject
        for result in results
        if result.step.probe == TOOL_ALONE and result.status is Status.KILLED and not result.facts.get("n1")
    )


def longest_wait(results: Iterable[StepResult], kind: str, subject: str = "") -> float:
    """Return the longest single wait measured for `llm` or `tool` operations, of one subject where it is known."""
    waits = [
        (result.step.subject, wait)
        for result in results
        if result.step.probe.split(".", 1)[0] == kind
        for wait in _waits(result.facts)
    ]
    own = [wait for held, wait in waits if held == subject]
    return max(own or [wait for _, wait in waits], default=0.0)


def _tool_alone(live: Live, results: Sequence[StepResult]) -> str:
    patience = live.step.args.get("patience")
    calls = [span for span in live.spans if span.name == "tool.call"]
    if not calls or not isinstance(patience, (int, float)):
        return ""
    patience = min(patience, _share_of_lane(live.step, results))
    waited = live.now - min(span.start for span in calls)
    quiet = live.now - max(live.started, live.last_moved)
    if waited < patience or quiet < min(STILL, patience) or live.bytes_came() or live.busy(calls[0]):
        return ""
    return f"no answer after {waited:.1f} s"


def _share_of_lane(step: Step, results: Sequence[StepResult]) -> float:
    """What is left of the lane's time, but for a moment for each tool still to come: most tools are well."""
    seconds, tools = step.args.get("of_lane") or (None, 0)
    if seconds is None:
        return float("inf")
    before = [result for result in results if result.step.probe == TOOL_ALONE and result.step.lane == step.lane]
    left = seconds - sum(result.seconds for result in before)
    return float(max(LEAST, left - MOMENT * (tools - len(before) - 1)))


def _recurrence(live: Live, results: Sequence[StepResult]) -> str:
    known = hung_tools(results)
    for span in live.spans:
        waited = live.now - span.start
        if span.name != "tool.call" or span.subject not in known or waited < max(RECURRENCE, _bound(live, span)):
            continue
        look = live.last_look(span)
        # A child that was waited for in vain alone need not be idle as long again.
        if (look is None and waited < RECURRENCE_UNSEEN) or (look is not None and look.waiting == CPU):
            continue
        name = span.subject.partition(":")[2]
        return f"tool `{name}` hangs here as it did alone: {waited:.1f} s without an answer"
    return ""


def _bound(live: Live, span: Open) -> float:
    """When the user's own timeout will have ended this call; 0 where none will."""
    held = (live.step.args.get("bounded") or {}).get(span.subject)
    return held + GRACE if isinstance(held, (int, float)) else 0.0


def _cut_off_again(live: Live, results: Sequence[StepResult]) -> str:
    """The user's own timeout cut the model off alone; here a whole call of it failed too, and the next one began."""
    asked = [result for result in results if result.step.probe == MODEL_ALONE]
    cut = {result.step.subject for result in asked if result.facts.get("cut_off")}
    for span in live.spans:
        if span.name != "llm.call" or not live.failed.get((span.name, span.subject)):
            continue
        if span.subject in cut or (cut and len(cut) == len(asked)):
            return f"{span.subject} is cut off by its timeout here as it was alone, and is asked again"
    return ""


def _given_up(live: Live) -> str:
    """A client gave up on a call of its MCP server, by its own clock, and is about to ask the same again."""
    for span in live.spans:
        if span.name == "tool.call" and any(("mcp.call", span.subject, kind.value) in live.failed_as for kind in ENDED):
            name = span.subject.partition(":")[2]
            return f"the MCP client gave up on `{name}` once, {live.now - span.start:.1f} s after it was called"
    return ""


def _limited_again(live: Live) -> str:
    """An agent gave up for a rate limit, after all retries beneath it; it was begun anew, and met the limit again."""
    for span in live.spans:
        if span.name != "agent.execution" or (span.name, span.subject, LIMITED) not in live.failed_as:
            continue
        refused = [
            at
            for (name, subject, kind), at in live.failed_as.items()
            if (name, kind) == ("http.request", LIMITED) and not subject.startswith("tool:")
        ]
        if max(refused, default=0.0) > span.start:
            return f"{span.subject} failed for the rate limit of its model, and meets it again"
    return ""


def _nothing_moves(live: Live, results: Sequence[StepResult]) -> str:
    quiet = live.now - max(live.started, live.last_moved)
    working = _working(live)
    if quiet < QUIET or working or quiet < max(QUIET, TIMES_LONGEST * max(_like(live, results), default=0.0)):
        return ""
    inner = max(live.spans, key=lambda span: span.start, default=None)
    doing = f" in {inner.name}" + (f" of {inner.subject}" if inner.subject else "") if inner is not None else ""
    return f"nothing has moved for {quiet:.1f} s{doing}"


def _working(live: Live) -> bool:
    """Whether somebody worked when each thread was last looked at since something moved."""
    latest = {look.span: look for look in live.looks if look.at >= live.last_moved}
    return any(look.busy_until() >= live.now for look in latest.values())


def _like(live: Live, results: Sequence[StepResult]) -> list[float]:
    """Longest waits of what is open now; of everything where nothing that was measured before is open."""
    kinds = {"llm.call": "llm", "tool.call": "tool"}
    waits = [
        max(longest_wait(results, kinds[span.name], span.subject), _bound(live, span) / TIMES_LONGEST)
        for span in live.spans
        if span.name in kinds
    ]
    return waits or [longest_wait(results, kind) for kind in kinds.values()]


def _waits(facts: Mapping[str, Any]) -> Iterable[float]:
    for name in ("cold", "warm", "first_token", "total", "gaps_max", "n1", "n4", "slowest"):
        held = facts.get(name)
        for value in held if isinstance(held, (list, tuple)) else [held]:
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                yield float(value)
