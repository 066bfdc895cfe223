"""Something beside the crew's models and tools holds it: a guardrail, a callback, a memory store.

## What it compares
What the kickoff was blocked on when it was stopped, where no call of a model or a tool was going on, with the timeout
in force there. It speaks from 10 s without a byte (ours), and only where the host or the user's own line was seen.

## Why it matters
Guardrails, callbacks and hooks run inside the task like a tool does, but nobody looks for a hang there: the agent has
answered, the log is quiet, and `max_execution_time` covers the agent's work alone.

## Example
task:1 was still waiting after 20.6 s beside its model and its tools: `no_banned_words` in recv from
moderation.internal:443 (crew.py:8); nothing would have ended it: no timeout is set.

## How to fix
Give the call a limit as in a tool, and decide what the crew does without an answer.

## References
- crewAI `task.py`, `_invoke_guardrail_function`: called in the task's own thread, without a limit (1.15.30)
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget import InForce, cost
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Span
from crewdoctor.remedies import bounded_call
from crewdoctor.toolcalls import waiting_call
from crewdoctor.waits import OWN_BOUND, WAIT_KEYS, Wait, blocked, unfinished

CREWAI = "crewai"
PATIENCE = 10.0
WITH_RULES = frozenset({"memory", "mcp"})
"""Kinds of endpoints whose own rules (CD504, CD320, CD322) say more."""
TOLD_ELSEWHERE = ("llm.call", "tool.call", "limiter.sleep")
"""What a kickoff may be blocked on that has a rule of its own."""


@rule(
    "CD507",
    since="0.1",
    needs=("span:crew.kickoff",),
    uses=(*WAIT_KEYS, *(f"span:{name}" for name in TOLD_ELSEWHERE), "span:task.execution", "ledger", "inventory"),
)
def blocked_beside_tools(evidence: Evidence) -> Iterator[Finding]:
    """One finding per kickoff that was blocked outside every model and tool."""
    of_others = {f"{each.host}:{each.port}" for each in evidence.inventory.endpoints if each.kind in WITH_RULES}
    for kickoff in evidence.spans("crew.kickoff"):
        elsewhere = [span for name in TOLD_ELSEWHERE for span in evidence.children(kickoff, name) if unfinished(span)]
        tasks = [span for span in evidence.children(kickoff, "task.execution") if unfinished(span)]
        root = evidence.inventory.project_root
        wait = blocked(evidence, kickoff)
        ending = evidence.ledger.would_end_tool("", wait.timeout, InForce())
        known = bool(wait.host or wait.location) and wait.waiting not in {*OWN_BOUND, "unknown", ""}
        known = known and wait.host not in of_others
        if not unfinished(kickoff) or elsewhere or wait.moving or wait.silent < PATIENCE or not known:
            continue
        subject = tasks[-1].subject if tasks else kickoff.subject
        function = f"`{wait.location.function}` in " if wait.location and wait.location.function else ""
        asker = "" if wait.location else _asker(evidence, wait)
        place = f" ({wording.place(wait.location, root)})" if wait.location else f" (asked by {asker})" if asker else ""
        yield Finding(
            code="CD507",
            slug="blocked_beside_tools",
            severity=Severity.ERROR,
            layer=Layer.CREW,
            subject=subject,
            message=(
                f"{subject} was still waiting after {wording.seconds(wait.silent)} beside its model and its tools: "
                f"{function}{wait.text}{place}; {ending.text}."
            ),
            evidence=tuple(dict.fromkeys((_of(kickoff, tasks).id, *wait.ids))),
            measured=Quantity("wait without a byte", Seconds(round(wait.silent, 3)), n=1),
            limit=Quantity("timeout", ending.after, where=ending.where),
            location=wait.location,
            fix=_fix(evidence, kickoff, wait, asker),
            lost=cost(ending.after, wait.silent),
            host=wait.host,
        )


def _asker(evidence: Evidence, wait: Wait) -> str:
    """Whose code of crewai waits, where none of the user's does: `crewai/memory/types.py`."""
    frames = next((stack.frames for stack in evidence.stacks() if stack.id == wait.ids[-1]), ())
    inside = [frame.file.replace("\\", "/") for frame in frames if f"/{CREWAI}/" in frame.file.replace("\\", "/")]
    return f"{CREWAI}/{inside[0].rpartition(f'/{CREWAI}/')[2]}" if inside else ""


def _fix(evidence: Evidence, kickoff: Span, wait: Wait, asker: str) -> Fix:
    if wait.location:
        return bounded_call(*waiting_call(evidence, kickoff, wait.waiting, wait.location), at=wait.location)
    part = asker.split("/")[1] if asker.count("/") > 1 else "part"
    code = f"Crew(..., {part}=False)" if part == "memory" else ""
    return Fix(f"Make {wait.host} answer, or leave out the {part} that asks it", code)


def _of(kickoff: Span, tasks: list[Span]) -> Span:
    return tasks[-1] if tasks else kickoff
