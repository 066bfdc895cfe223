"""Loading the crew takes long before anything runs.

## What it compares
How long the target's own module took to import (crewAI itself was imported before), with ten seconds, and what the
import was seen doing. A warning where it waited for something (a host, a lock, its own sleep); where it computed, or
nobody could see, a note: a machine that is busy with something else imports slowly as well.

## Why it matters
An import is paid by every start: every pod, every worker of a queue, every run in CI. A request at import also has no
place in any timeout of the crew, and fails the whole program when its host does.

## Example
`import crew` took 24.1 s, 22.0 s of it in recv from 10.0.0.7:443 (catalog.py:12).

## How to fix
Move the work into a function that runs when it is needed, and give the call a timeout.

## References
- CPython: `python -X importtime crew.py` shows the cost of each module
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from crewdoctor import wording
from crewdoctor.calls import overload
from crewdoctor.exits import address
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Span, Stack
from crewdoctor.waits import WIRE

LONG = 10.0
"""Ours: seconds of the target's own import."""
SHARE = 0.5
"""Of it, that was seen waiting for one thing."""
_WAITS = frozenset({"recv", "connect", "tls", "dns", "send", "lock", "process", "queue", "sleep"})


@rule(
    "CD704",
    since="0.1",
    needs=("span:python.import",),
    uses=("stacks", "inventory", "result:program.process", "span:crew.kickoff", *(f"span:{name}" for name in WIRE)),
)
def import_slow(evidence: Evidence) -> Iterator[Finding]:
    """One finding for an import that came to its end."""
    of_program = [span for span in evidence.spans("python.import", probe="crew.kickoff") if span.parent is None]
    for span in (*evidence.spans("python.import", probe="inspect"), *of_program):
        if span.end is not None and span.failure is None and span.seconds() >= LONG:
            yield _finding(evidence, span)
    yield from _start(evidence)


def _start(evidence: Evidence) -> Iterator[Finding]:
    """A recorded program whose own body, not an import, waited for one answer before its first kickoff."""
    evidence.touched.update(f"span:{name}" for name in WIRE)
    first = next(iter(evidence.spans("crew.kickoff")), None)
    began = [each for each in evidence.results("program.process") if first and each.step.id.endswith(f"@{_of(first)}")]
    if first is None or not began:
        return
    took = first.start - began[0].start
    known = [each for name in WIRE for each in evidence.spans(name) if each.parent is None and each.step == first.step]
    before = [each for each in known if each.end is not None and each.end <= first.start]
    longest = max(before, key=lambda each: each.seconds(), default=None)
    if longest is None or took < LONG or longest.seconds() < SHARE * took:
        return
    looks = [look for look in evidence.stacks(span=longest.id) if look.user_frame is not None]
    beneath = {each.id for each in evidence.children(longest)}
    looks = looks or [look for look in evidence.stacks(step=first.step) if look.span in beneath and look.user_frame]
    location = looks[-1].user_frame if looks else None
    peer = address(longest)
    place = f" ({wording.place(location, evidence.inventory.project_root)})" if location else ""
    yield Finding(
        code="CD704",
        slug="import_slow",
        severity=Severity.WARNING,
        layer=Layer.ENVIRONMENT,
        subject=f"module:{PurePath(location.file).stem if location else '__main__'}",
        message=(
            f"The program took {wording.seconds(took)} to its first kickoff, {wording.seconds(longest.seconds())} of "
            f"it waiting: {longest.name} {peer}{place}; every start pays it.{overload(evidence)}"
        ),
        evidence=(longest.id, *(look.id for look in looks[-1:])),
        measured=Quantity("wait before the kickoff", Seconds(round(longest.seconds(), 3)), n=1),
        limit=Quantity("a start that nobody notices", Seconds(LONG), where="crewdoctor"),
        location=location,
        fix=Fix("Ask for it when it is needed, with a timeout; or keep the answer"),
        lost=longest.seconds(),
        host=peer,
    )


def _of(span: Span) -> str:
    return span.step.partition("@")[2]


def _finding(evidence: Evidence, span: Span) -> Finding:
    held = _longest(evidence, span)
    waited = f", {wording.seconds(held.seconds)} of it waiting: {_text(evidence, held)}" if held else ""
    return Finding(
        code="CD704",
        slug="import_slow",
        severity=Severity.WARNING if held else Severity.INFO,
        layer=Layer.ENVIRONMENT,
        subject=f"module:{span.attrs.get('module') or 'crew'}",
        message=(
            f"Importing {span.attrs.get('module') or 'the crew'} took {wording.seconds(span.seconds())}"
            f"{waited}; every start pays it.{overload(evidence)}"
        ),
        evidence=(span.id, *((held.id,) if held else ())),
        measured=Quantity("import", Seconds(round(span.seconds(), 3)), n=1),
        limit=Quantity("an import that nobody notices", Seconds(LONG), where="crewdoctor"),
        location=held.user_frame if held else None,
        fix=Fix("Move the work out of the import", "python -X importtime crew.py", "sh"),
        lost=span.seconds(),
    )


def _longest(evidence: Evidence, span: Span) -> Stack | None:
    """The longest wait it was seen in, where that was most of it."""
    looks = [
        look
        for look in evidence.stacks(step=span.step)
        if span.start <= look.at <= (span.end or look.at) and look.waiting in _WAITS and look.user_frame is not None
    ]
    longest = max(looks, key=lambda look: look.seconds, default=None)
    return longest if longest is not None and longest.seconds >= SHARE * span.seconds() else None


def _text(evidence: Evidence, look: Stack) -> str:
    peer = str(look.attrs.get("peer") or "")
    place = wording.place(look.user_frame, evidence.inventory.project_root)
    return f"{look.waiting}{f' {peer}' if peer else ''} ({place})"
