"""The platform around the crew gives up before the crew is done.

## What it compares
The longest run of the crew in this diagnosis with the shortest limit around it: `--outer`, or what lies in the project
(gunicorn's `timeout`, celery's time limits, a function's timeout, a Job's `activeDeadlineSeconds`, `timeout-minutes`,
`timeout` on a command line). A run beyond it is an error; a healthy run that took more than half of it is a warning.
Where each task fits and only their sum does not, CD503 tells it.

## Why it matters
Whoever gives up from outside kills: no result, no exception, no log line of the crew's; what it had paid for is lost,
and the caller sees a 502 or a job that "timed out" and looks for the fault in the platform.

## Example
A crew needs 41 s; `gunicorn --timeout 30` (Procfile:1) kills its worker in the middle of the second task.

## How to fix
Take the crew out of the request: a queue and a worker with a limit of its own. Else raise the platform's limit to twice
what the crew needs, and give its calls timeouts that add up to less.

## References
- gunicorn documentation, "Settings": `timeout`
- AWS Builders' Library, "Timeouts, retries, and backoff with jitter"
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget import told
from crewdoctor.calls import overload, rounded_up
from crewdoctor.kickoffs import KICKOFF_KEYS, LongRun, long_run
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds

MARGIN = 2.0
"""Ours: a limit less than twice what a healthy run takes is met on a slow day."""


@rule("CD502", since="0.1", needs=("span:crew.kickoff", "ledger"), uses=KICKOFF_KEYS)
def outer_layer_gives_up_first(evidence: Evidence) -> Iterator[Finding]:
    """At most one finding."""
    run = long_run(evidence)
    if run is None or (run.seconds > run.limit and run.in_a_row):
        return
    healthy = run.ended and run.span.failure is None
    if run.seconds > run.limit or (healthy and run.seconds * MARGIN > run.limit):
        yield _finding(evidence, run)


def _finding(evidence: Evidence, run: LongRun) -> Finding:
    over = run.seconds > run.limit
    ends = "stops waiting for it" if run.outer.name.endswith(".answer") else "ends it"
    took = f"took {wording.seconds(run.seconds)}" if run.ended else f"still ran after {wording.seconds(run.seconds)}"
    then = f"; {told(run.outer)} {ends} after {wording.exact(run.limit)}"
    margin = "" if over else f", less than {MARGIN:g} {wording.TIMES} what it needs"
    wanted = rounded_up(MARGIN * run.seconds)
    told_by = run.outer.id if run.outer.provenance.location else None
    name = run.outer.note or "the limit"
    return Finding(
        code="CD502",
        slug="outer_layer_gives_up_first",
        severity=Severity.ERROR if over else Severity.WARNING,
        layer=Layer.CREW,
        subject=run.span.subject,
        message=f"The crew {took}{then}{margin}.{overload(evidence)}",
        evidence=(run.span.id, *((told_by,) if told_by else ())),
        measured=Quantity("crew", Seconds(round(run.seconds, 3)), n=1),
        limit=Quantity(run.outer.note or run.outer.subject, Seconds(run.limit), where=run.outer.provenance.where),
        location=run.outer.provenance.location,
        fix=Fix(
            f"Run the crew outside the request, or raise {name} to {wanted} s",
            f"--outer {wanted}s" if run.outer.provenance.location is None else f"{name} = {wanted}",
            "sh" if run.outer.provenance.location is None else "text",
        ),
        lost=run.seconds if over else 0.0,
        observed=over,
    )
