"""The model's client has fewer connections than there are requests at once.

## What it compares
How long requests of a model waited for a connection of its client's pool with how long they took altogether, many
kickoffs running. It speaks from a tenth of the time and half a second on (ours), or where the wait ran into the pool's
own timeout.

## Why it matters
Copies of a crew share the SDK's client, and with it its pool. OpenAI's has 1000 connections, botocore's 10; an
`interceptor` shrinks crewAI's to 100, a client of one's own to whatever it was given. Whoever waits for a connection
reads "Request timed out", as if the model were slow.

## Example
16 kickoffs over 2 connections: requests waited up to 4.9 s for one, and were then answered within 0.7 s.

## How to fix
Give the client as many connections as there are requests at once, or start fewer kickoffs.

## References
- httpx documentation, "Pool limits"; botocore `Config(max_pool_connections=10)`
- crewAI `llms/providers/openai/completion.py`, `interceptor`, seen in 1.15.30
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from crewdoctor import wording
from crewdoctor.calls import overlap, overload
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import FailureKind, Span
from crewdoctor.ramp import Level, ramp

SHARE, FROM = 0.1, 0.5


@rule(
    "CD230",
    since="0.1",
    needs=("span:scale.level", "result:scale.ramp"),
    uses=("inventory", "setting:llm.pool.max_connections"),
)
def client_pool_too_small(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model, at the level where a request waited longest."""
    climbed = ramp(evidence)
    if climbed is None:
        return
    for llm in evidence.inventory.llms:
        held = [(_waits(level, llm), level) for level in climbed.levels]
        waits, level = max(held, key=lambda each: _longest(evidence, each[0]))
        requests = _requests(level, llm)
        ran_out = [each for each in requests if _ran_out(each)]
        longest = _longest(evidence, waits)
        waited = sum(each.seconds(evidence.end_of(each)) for each in waits)
        spent = sum(each.seconds(evidence.end_of(each)) for each in requests)
        if ran_out or (longest >= FROM and waited >= SHARE * spent):
            yield _finding(evidence, llm, level, waits, ran_out)


def _requests(level: Level, llm: LlmEntry, name: str = "http.request") -> list[Span]:
    subjects = {llm.subject, *llm.users}
    return [each for each in level.named(name) if each.subject in subjects]


def _waits(level: Level, llm: LlmEntry) -> list[Span]:
    return _requests(level, llm, "pool.wait")


def _longest(evidence: Evidence, waits: list[Span]) -> float:
    """Seconds the request waited that waited longest: who is woken and finds the connection taken waits again."""
    by_request: dict[str | None, float] = {}
    for each in waits:
        by_request[each.parent] = by_request.get(each.parent, 0.0) + each.seconds(evidence.end_of(each))
    return max(by_request.values(), default=0.0)


def _ran_out(request: Span) -> bool:
    return request.failure is not None and request.failure.kind is FailureKind.TIMEOUT_POOL


def _finding(evidence: Evidence, llm: LlmEntry, level: Level, waits: list[Span], ran_out: list[Span]) -> Finding:
    exchanges = _requests(level, llm, "net.exchange")
    requests = _requests(level, llm)
    wide, at_once = max(1, overlap(exchanges, evidence)), overlap(requests, evidence)
    longest = _longest(evidence, waits)
    answered = median([each.seconds(evidence.end_of(each)) for each in exchanges] or [0.0])
    settings = evidence.settings("llm", "pool.max_connections", subject=llm.subject)
    # A client somebody put there is read as if its values were the SDK's own.
    written = (each for each in settings if each.value == wide and each.provenance.origin != "default")
    setting = next(written, None)
    where = f" ({setting.provenance.where})" if setting else ""
    end = f"; {len(ran_out)} of them gave up waiting for it" if ran_out else ""
    return Finding(
        code="CD230",
        slug="client_pool_too_small",
        severity=Severity.ERROR if ran_out else Severity.WARNING,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"The client of {llm.subject} ({llm.model}) has {wording.plural(wide, 'connection')}{where} for "
            f"{at_once} requests at once: with {level.n} kickoffs one waited {wording.seconds(longest)} for a "
            f"connection, while answers took {wording.seconds(answered)}{end}.{overload(evidence)}"
        ),
        evidence=(
            *(each.id for each in (*waits, *ran_out)),
            level.span.id,
            *((setting.id,) if setting else ()),
        ),
        measured=Quantity("wait for a connection", Seconds(round(longest, 3)), n=len(requests)),
        limit=Quantity("connections", wide, "connection" if wide == 1 else "connections", where=where.strip(" ()")),
        location=setting.provenance.location if setting else None,
        fix=Fix(
            f"Allow {at_once} connections, or start fewer kickoffs at once",
            f"httpx.Limits(max_connections={at_once})",
        ),
        lost=sum(each.seconds(evidence.end_of(each)) for each in waits),
        attrs={"change": f"connections:{max(at_once, level.n)}"},
    )
