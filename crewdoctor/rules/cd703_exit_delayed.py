"""The program has done its work, and its process does not end.

## What it compares
The time from the last line of the recorded program to the end of its process (`crewdoctor run` and recordings made by
the hook measure it), from 5 s on (ours). It says what was waited for there: threads that are no daemons, hosts that did
not answer, or what `atexit` was given. CrewAI's own telemetry is CD701's, its question about traces CD702's.

## Why it matters
The answer is there, and whoever waits for the process (a job queue, a container, a CI step) waits on. Nothing in the
log says so: the last line was printed long before.

## Example
The program's last line was done after 9.2 s, and its process ended 25.1 s later: 25.0 s of it joining the thread
`uploader`, which is no daemon (main.py:14).

## How to fix
Close what was opened (pools, exporters, consumers) with a timeout before the program ends, or make the thread a daemon.

## References
- CPython `threading._shutdown`: threads that are no daemons are joined without a limit; `atexit` runs after them
- `concurrent.futures.thread`: an executor's threads are joined at exit as well
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.exits import EXIT_KEYS, TELEMETRY, Exit, exits
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds

LONG = 5.0
"""Ours: seconds of an end that somebody notices."""
MOST = 0.5
"""Of it, that one thing must explain to be named as the cause."""


@rule("CD703", since="0.1", needs=("span:process.exit",), uses=(*EXIT_KEYS, "inventory"))
def exit_delayed(evidence: Evidence) -> Iterator[Finding]:
    """One finding per process."""
    for each in exits(evidence):
        if each.seconds >= LONG and not each.busy and each.until(TELEMETRY) < MOST * each.seconds:
            yield _finding(evidence, each)


def _finding(evidence: Evidence, ending: Exit) -> Finding:
    location, look = ending.line()
    joined = ending.joined.seconds(ending.end) if ending.joined else 0.0
    slow = max(ending.hosts, key=ending.until, default="")
    root = evidence.inventory.project_root
    place = f" ({wording.place(location, root)})" if location else ""
    if slow and ending.until(slow) >= MOST * ending.seconds:
        why = f"{wording.seconds(ending.until(slow))} of it trying to reach {slow}{place}"
        fix = Fix(f"Allow egress to {slow}, or give what flushes to it a short timeout")
        ids = tuple(span.id for span in ending.hosts[slow])
    elif joined >= MOST * ending.seconds:
        names = wording.joined([f"`{name}`" for name in ending.threads[:3]])
        number = "the thread" if len(ending.threads) == 1 else "the threads"
        why = f"{wording.seconds(joined)} of it joining {number} {names}, no daemon{place}"
        fix = Fix("Stop the thread before the program ends, or make it a daemon", "Thread(..., daemon=True)")
        ids = (ending.joined.id,) if ending.joined else ()
    else:
        waiting = f", {look.waiting}" if look and look.waiting not in {"", "unknown"} else ""
        why = f"in what `atexit` was given{waiting}{place}"
        fix = Fix("Close it before the program ends, with a timeout")
        ids = ()
    still = "had not ended" if ending.span.open else "ended"
    after = f"{wording.seconds(ending.seconds)} later"
    return Finding(
        code="CD703",
        slug="exit_delayed",
        severity=Severity.WARNING,
        layer=Layer.ENVIRONMENT,
        subject="program",
        message=(
            f"The program's last line was done after {wording.seconds(ending.span.start)}, and its process {still} "
            f"{after}: {why} (span {ending.span.id})."
        ),
        evidence=tuple(dict.fromkeys((ending.span.id, *ids, *((look.id,) if look else ())))),
        measured=Quantity("exit", Seconds(round(ending.seconds, 3)), n=1),
        limit=Quantity("an end that nobody notices", Seconds(LONG), where="crewdoctor"),
        location=location,
        fix=fix,
        lost=ending.seconds,
        host=slow if slow and ending.until(slow) >= MOST * ending.seconds else "",
    )
