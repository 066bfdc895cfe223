"""The process that ran a part of the crew went away by itself.

## What it compares
How each step ended with how it should have: a process that exits or is killed by a signal nobody of us sent has taken
what it was doing with it. Steps that crewdoctor ended at its own deadline are no crash and are not reported here.

## Why it matters
`os._exit` in a callback, a segmentation fault in a native library, or the kernel's out-of-memory killer end the whole
crew as well, without a traceback.

## Example
While tool `render` was called alone, its process was killed by SIGKILL: out of memory?

## How to fix
Run the named step by hand under the same limits; look at the kernel log for the out-of-memory killer (`dmesg`), and
at native libraries the tool loads (`python -X faulthandler`).

## References
- signal(7); CPython `faulthandler`
- Linux documentation, "Memory Resource Controller": the OOM killer
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Severity
from crewdoctor.model.result import Status
from crewdoctor.model.rule import rule


@rule("CD901", since="0.1", needs=("results",))
def worker_killed(evidence: Evidence) -> Iterator[Finding]:
    """One finding per step whose process crashed while it ran code of the target."""
    for result in evidence.all_results():
        if result.status is not Status.CRASHED:
            continue
        theirs = result.step.worker == "loaded" or result.step.probe == "inspect"
        doing = [span for span in evidence.recording.spans if span.step == result.step.id and span.open]
        inner = max(doing, key=lambda span: span.start, default=None)
        during = f", during {inner.name} of {inner.subject or result.step.subject}" if inner else ""
        reason = (result.reason or "it went away").rstrip(".?! ")
        yield Finding(
            code="CD901",
            slug="worker_killed",
            severity=Severity.ERROR if theirs else Severity.WARNING,
            layer=result.step.layer,
            subject=inner.subject if inner and inner.subject else result.step.subject,
            message=(
                f"The process of {result.step.probe} on {result.step.subject} ended by itself after "
                f"{wording.seconds(result.seconds)}{during}: {reason}."
            ),
            evidence=(f"step:{result.step.id}", *((inner.id,) if inner else ())),
            fix=Fix("Run it by hand and see what ends the process", "python -X faulthandler crew.py", "sh"),
            lost=result.seconds,
        )
