"""Every task is quick enough, and one after the other they outlast the platform around the crew.

## What it compares
The tasks of the longest run, each shorter than the limit around the crew (`--outer`, or what lies in the project), none
begun before the one before it had ended, with that limit: the run as a whole went beyond it.

## Why it matters
No single call and no single task is at fault, so nobody finds one; every timeout was chosen well, and the platform
still kills the crew in its last task. It is the sum that nobody wrote down.

## Example
Three tasks of 12, 11 and 14 s in a row are 37 s; the function's timeout is 30 s (serverless.yml:9).

## How to fix
Let tasks that do not need each other run at once (`async_execution=True`), or start them as jobs of their own;
else give the crew a place whose limit is twice the sum.

## References
- Google SRE Book, chapter 22, "Deadline propagation"
- crewAI documentation, "Tasks": asynchronous execution
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget import told
from crewdoctor.calls import overload
from crewdoctor.kickoffs import KICKOFF_KEYS, long_run
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds


@rule("CD503", since="0.1", needs=("span:crew.kickoff", "span:task.execution", "ledger"), uses=KICKOFF_KEYS)
def sequential_sum_exceeds_outer(evidence: Evidence) -> Iterator[Finding]:
    """At most one finding."""
    run = long_run(evidence)
    if run is None or run.seconds <= run.limit or not run.in_a_row:
        return
    each = wording.joined([wording.seconds(task.seconds()) for task in run.tasks])
    outer = run.outer
    ends = "stops waiting for the crew" if outer.name.endswith(".answer") else "ends the crew"
    ids = tuple(task.id for task in run.tasks)
    yield Finding(
        code="CD503",
        slug="sequential_sum_exceeds_outer",
        severity=Severity.ERROR,
        layer=Layer.CREW,
        subject=run.span.subject,
        message=(
            f"{len(run.tasks)} tasks in a row ({each}) took {wording.seconds(run.seconds)}; {told(outer)} {ends} after "
            f"{wording.exact(run.limit)}, though none of them alone is longer.{overload(evidence)}"
        ),
        evidence=(run.span.id, *ids, *((outer.id,) if outer.provenance.location else ())),
        measured=Quantity("tasks in a row", Seconds(round(run.seconds, 3)), n=len(run.tasks)),
        limit=Quantity(outer.note or outer.subject, Seconds(run.limit), where=outer.provenance.where),
        location=outer.provenance.location,
        fix=Fix("Let tasks that do not need each other run at once", "Task(..., async_execution=True)"),
        lost=run.seconds,
    )
