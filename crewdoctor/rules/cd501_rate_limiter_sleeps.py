"""The crew sleeps whole minutes because of its own max_rpm.

## What it compares
How often the rate limiter slept in the crew with the `max_rpm` that made it. A sleep that was still going when
crewdoctor stopped counts as the 60 s it would have taken: what can be computed is not waited for.

## Why it matters
When a minute's requests are used up, crewAI does not wait for the next free moment: it sleeps a full 60 s, holding
the limiter's lock, so every other agent of the crew stands still with it. The sleep counts against
`max_execution_time`. The limit is per copy of the crew: `kickoff_for_each` gives every copy a limiter of its own, so
it does not even keep to it.

## Example
`max_rpm=1` and two model calls: 60.4 s, of which 60 were slept.

## How to fix
Set `max_rpm` above what one run needs (count the model calls in the report), or leave it away and let the provider's
429 and the SDK's backoff decide.

## References
- crewAI `utilities/rpm_controller.py`: `time.sleep(60)` under the lock; `crew.py`, `copy()`
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds, Setting
from crewdoctor.model.span import Span
from crewdoctor.ramp import PROBE as RAMPED
from crewdoctor.waits import unfinished

PAUSE = 60.0
"""crewai 1.15.30 `rpm_controller.py` sleeps exactly this long."""


@rule(
    "CD501",
    since="0.1",
    needs=("span:crew.kickoff",),
    uses=("span:limiter.sleep", "setting:crew.max_rpm", "setting:agent.max_rpm", "inventory"),
)
def rate_limiter_sleeps(evidence: Evidence) -> Iterator[Finding]:
    """One finding per limit that made the crew sleep."""
    limits = [
        setting
        for setting in (*evidence.settings("agent", "max_rpm"), *evidence.settings("crew", "max_rpm"))
        if isinstance(setting.value, int) and not isinstance(setting.value, bool)
    ]
    kickoffs, sleeps = (
        (*evidence.spans(name), *evidence.spans(name, probe=RAMPED)) for name in ("crew.kickoff", "limiter.sleep")
    )
    ran = {span.step for span in kickoffs}
    by_limit: dict[str, tuple[Setting | None, list[Span]]] = {}
    for span in (each for each in sleeps if each.step in ran):
        setting = _whose(limits, span)
        by_limit.setdefault(setting.id if setting else "", (setting, []))[1].append(span)
    for setting, spans in by_limit.values():
        yield _finding(evidence, setting, spans)


def _whose(limits: list[Setting], span: Span) -> Setting | None:
    """The limit that made it sleep: the agent's own where it has one, else the crew's."""
    value = span.attrs.get("max_rpm")
    fitting = [setting for setting in limits if value is None or setting.value == value]
    mine = [setting for setting in fitting if setting.subject in {span.subject, span.attrs.get("agent")}]
    whole = [setting for setting in fitting if setting.scope == "crew"]
    return next(iter((*mine, *whole, *fitting)), None)


def _slept(spans: list[Span]) -> float:
    """Seconds in which somebody slept: those who wait for the limiter's lock sleep the same minute."""
    total = reached = 0.0
    for span in sorted(spans, key=lambda each: each.start):
        end = max(span.end or 0.0, span.start + PAUSE) if unfinished(span) else span.start + span.seconds()
        total += max(0.0, end - max(reached, span.start))
        reached = max(reached, end)
    return total


def _finding(evidence: Evidence, setting: Setting | None, spans: list[Span]) -> Finding:
    seconds = _slept(spans)
    computed = " (60 s each, computed)" if any(unfinished(span) for span in spans) else ""
    crew = f"crew:{evidence.inventory.crew}" if evidence.inventory.crew else "crew"
    value = setting.value if setting else spans[0].attrs.get("max_rpm")
    where = f" ({setting.provenance.where})" if setting else ""
    slept = wording.seconds(seconds)
    often = "once" if len(spans) == 1 else f"{len(spans)} times"
    limit = (
        Quantity("max_rpm", value, "requests per minute", where=where.strip(" ()")) if isinstance(value, int) else None
    )
    return Finding(
        code="CD501",
        slug="rate_limiter_sleeps",
        severity=Severity.WARNING,
        layer=Layer.AGENT if setting and setting.scope == "agent" else Layer.CREW,
        subject=setting.subject if setting else crew,
        message=(
            f"max_rpm={value}{where} made the crew sleep {often}, {slept}{computed}, "
            "holding every agent that shares it."
        ),
        evidence=(*(span.id for span in spans), *((setting.id,) if setting else ())),
        measured=Quantity("slept by the rate limiter", Seconds(round(seconds, 3)), n=len(spans)) if limit else None,
        limit=limit,
        location=setting.provenance.location if setting else None,
        fix=Fix("Set max_rpm above what one run needs, or leave it away", "max_rpm=60"),
        lost=seconds,
    )
