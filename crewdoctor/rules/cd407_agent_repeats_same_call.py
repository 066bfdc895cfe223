"""An agent called a tool with the very same arguments again and again within one execution.

## What it compares
Calls of one tool within one execution of an agent, by their arguments (numbered in the crew's process: nothing of them
is recorded). Three or more equal ones that really ran, none answered from crewAI's cache and none failed, are told: as
a warning where the repetitions took ten seconds or more, else as a note.

## Why it matters
A model that does not recognise an answer as one asks the same again, until `max_iter` ends it. Each round costs the
tool's time and a model's call with a longer prompt; the agent's deadline runs, and no single call is slow.

## Example
`search` was called 6 times with the same arguments in one execution: 6 x 4.1 s.

## How to fix
Say in the tool's answer what it is an answer to, and that it is complete; let crewAI's cache answer the second time
(`cache=True`, the default; a tool's `cache_function`); lower `max_iter`. A tool that is asked for a state that changes
is meant to be asked again: ignore this rule on it.

## References
- crewAI documentation, "Tools": caching
- crewAI `agents/agent_executor.py`: `max_iter`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.span import Span

REPEATED = 3
COSTLY = 10.0
"""Ours: seconds of repetitions from which they are worth more than a note."""


@rule("CD407", since="0.1", needs=("span:agent.execution", "span:tool.call"))
def agent_repeats_same_call(evidence: Evidence) -> Iterator[Finding]:
    """One finding per agent and tool: the arguments repeated most."""
    worst: dict[tuple[str, str], tuple[Span, list[Span]]] = {}
    for execution in evidence.spans("agent.execution"):
        made = [each for each in evidence.children(execution, "tool.call") if _counts(each)]
        for (subject, number), count in Counter((each.subject, each.attrs["arguments"]) for each in made).items():
            same = [each for each in made if each.subject == subject and each.attrs["arguments"] == number]
            known = worst.get((execution.subject, subject))
            if count >= REPEATED and (known is None or count > len(known[1])):
                worst[execution.subject, subject] = (execution, same)
    for execution, same in worst.values():
        yield _finding(execution, same)


def _counts(call: Span) -> bool:
    """Whether it ran, ended well, and its arguments were told apart."""
    ran = not call.open and call.failure is None and not call.attrs.get("error_text")
    return ran and not call.attrs.get("from_cache") and bool(call.attrs.get("arguments"))


def _finding(execution: Span, same: list[Span]) -> Finding:
    again = sum(each.seconds() for each in same[1:])
    tool = same[0].attrs.get("tool") or same[0].subject
    return Finding(
        code="CD407",
        slug="agent_repeats_same_call",
        severity=Severity.WARNING if again >= COSTLY else Severity.INFO,
        layer=Layer.AGENT,
        subject=execution.subject,
        message=(
            f"{execution.subject} called `{tool}` {len(same)} times with the same arguments in one execution; all but "
            f"the first took {wording.seconds(again)}."
        ),
        evidence=(execution.id, *(each.id for each in same)),
        measured=Quantity("calls with the same arguments", len(same), "calls", n=len(same)),
        limit=Quantity("calls that were needed", 1, "calls", where="one answer"),
        fix=Fix("Let the answer say what it answers; let the cache answer the second time", "Agent(..., max_iter=5)"),
        lost=again,
        depends_on=(same[0].subject,),
    )
