"""Two limits somebody wrote contradict each other: the inner one may last longer than the outer one.

## What it compares
Every pair of nested scopes of the timeout ledger where both limits were written: the ceiling of a model call
((retries + 1) attempts of its timeout, and the backoff) and the timeout of a tool, each with the agent's
`max_execution_time`; and all three with the shortest limit around the crew: `--outer`, or what lies in the project
(gunicorn, celery, serverless, Kubernetes, workflows, `timeout` on a command line). The default of a platform that
nobody wrote accuses nothing.

## Why it matters
The outer limit is a promise to somebody. If a single call inside may outlast it, the promise breaks on the first slow
day, and since `max_execution_time` interrupts nothing, the caller waits for the inner limit anyway and gets an error
instead of the answer. The retries are what is mostly forgotten: a timeout of 30 s with two retries is 91.5 s.

## Example
`LLM(timeout=60)` inside `Agent(max_execution_time=90)`: one silent provider holds the call for 181.5 s.
`requests.get(url, timeout=60)` in a crew that `gunicorn --timeout 30` ends: the worker is killed, and no error is told.

## How to fix
Make the inner ones add up to less than the outer: lower the timeout or the retries, or raise the outer limit.

## References
- Google SRE Book, chapter 22, "Deadline propagation"
- openai-python `_base_client.py`: attempts and backoff
- gunicorn documentation, "Settings": `timeout`
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget import Inversion, told
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import OUTER, Seconds, Setting


@rule("CD403", since="0.1", needs=("ledger",), uses=("inventory",))
def inner_scope_outlives_outer(evidence: Evidence) -> Iterator[Finding]:
    """One finding per inversion with an agent's limit, and one with the limit around the crew."""
    written = [each for each in evidence.ledger.inversions if each.both_written]
    for inversion in written:
        if inversion.outer.scope != OUTER and isinstance(inversion.outer.value, Seconds):
            yield _of_agent(inversion)
    around = [each for each in written if each.outer.scope == OUTER and isinstance(each.outer.value, Seconds)]
    if around:
        yield _of_platform(evidence, around)


def _of_agent(inversion: Inversion) -> Finding:
    outer = inversion.outer
    value = _seconds(outer)
    tool = inversion.inner.startswith("tool:")
    third = max(1, int(value / 3))
    code = f"timeout={max(1, int(value / 2))}" if tool else f"LLM(..., timeout={third}, max_retries=1)"
    return Finding(
        code="CD403",
        slug="inner_scope_outlives_outer",
        severity=Severity.WARNING,
        layer=Layer.AGENT,
        subject=outer.subject,
        message=(
            f"One call of {inversion.inner} may last {wording.limit(inversion.ceiling)} ({inversion.arithmetic}), "
            f"longer than the {outer.name}={wording.limit(outer.value).removesuffix(' s')} of {outer.subject} "
            f"({outer.provenance.where}), which does not interrupt it."
        ),
        evidence=inversion.ids,
        measured=Quantity(f"ceiling of {inversion.inner}", inversion.ceiling),
        limit=Quantity(outer.name, outer.value, where=outer.provenance.where),
        location=outer.provenance.location,
        fix=Fix("Let the inner limits add up to less than the outer", code),
        depends_on=(inversion.inner,),
        observed=False,
    )


def _of_platform(evidence: Evidence, found: list[Inversion]) -> Finding:
    longest = max(found, key=lambda each: each.ceiling.value if isinstance(each.ceiling, Seconds) else 0.0)
    outer = longest.outer
    others = [each.inner for each in found if each is not longest]
    more = f"; so may {wording.joined(others)}" if others else ""
    agent = longest.inner.startswith("agent:") and not longest.inner.endswith("/llm")
    what = longest.inner if agent else f"One call of {longest.inner}"
    tool = longest.inner.startswith("tool:")
    half = max(1, int(_seconds(outer) / (2 if tool or agent else 3)))
    code = f"max_execution_time={half}" if agent else f"timeout={half}" if tool else f"LLM(..., timeout={half})"
    ends = "stops waiting for" if outer.name.endswith(".answer") else "ends"
    return Finding(
        code="CD403",
        slug="inner_scope_outlives_outer",
        severity=Severity.WARNING,
        layer=Layer.CREW,
        subject=f"crew:{evidence.inventory.crew}" if evidence.inventory.crew else "crew",
        message=(
            f"{what} may last {wording.limit(longest.ceiling)} ({longest.arithmetic}), longer than the "
            f"{wording.limit(outer.value)} after which {told(outer)} {ends} the crew{more}."
        ),
        evidence=tuple(dict.fromkeys(ident for each in found for ident in each.ids)),
        measured=Quantity(f"ceiling of {longest.inner}", longest.ceiling),
        limit=Quantity(outer.note or outer.name, outer.value, where=outer.provenance.where),
        location=outer.provenance.location,
        fix=Fix("Let the inner limits add up to less than the platform's, or raise that one", code),
        depends_on=(longest.inner,),
        observed=False,
    )


def _seconds(setting: Setting) -> float:
    return setting.value.value if isinstance(setting.value, Seconds) else 0.0
