"""The crew's memory or knowledge asks an embedder that cannot be reached, and every task waits for it.

## What it compares
Requests of the crew's run to the embedder's host, outside of any call of a model or a tool, that failed or did not end:
crewAI makes them before each task (what is remembered of it?) and after it. An error where the crew was still waiting
when it was stopped, or where ten seconds went there; a warning where it failed fast: the crew goes on without memory.

## Why it matters
A model that is well does not help: the recall stands before it, with the embedder's own timeouts (5 s to connect, 600 s
for an answer, three attempts), and no setting of the crew bounds it. What fails there is logged and swallowed, so the
crew is slow or forgetful and says nothing.

## Example
`Crew(memory=True)` behind a firewall: 31.4 s of the run in three attempts to connect to the embedder, twice.

## How to fix
Point the embedder at a host that is reachable, allow egress to it, or switch memory off.

## References
- crewAI `memory/unified_memory.py`: `drain_writes` has no timeout; chromadb `OpenAIEmbeddingFunction`
- openai-python `_constants.py`: DEFAULT_TIMEOUT 600 s, connect 5 s, DEFAULT_MAX_RETRIES 2
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import Endpoint
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import UNKNOWN, Seconds
from crewdoctor.model.span import Span
from crewdoctor.waits import unfinished, wire_limit

GRAVE = 10.0
"""Ours: seconds of the run that went there."""
_RUNS = ("crew.kickoff@", "agent.bisect@")


@rule("CD504", since="0.1", needs=("inventory", "span:http.request"), uses=("span:llm.call", "span:tool.call"))
def memory_or_embedder_host_blocked(evidence: Evidence) -> Iterator[Finding]:
    """One finding per embedder host."""
    owned = {span.id for name in ("llm.call", "tool.call") for span in evidence.spans(name)}
    parents = {span.id: span.parent for span in evidence.recording.spans}
    requests = [
        span
        for span in evidence.spans("http.request")
        if span.step.startswith(_RUNS) and not _beneath(span, owned, parents)
    ]
    for endpoint in evidence.inventory.endpoints:
        if endpoint.kind != "memory":
            continue
        mine = [
            span
            for span in requests
            if span.attrs.get("host") == endpoint.host and span.attrs.get("port") == endpoint.port
        ]
        failed = [span for span in mine if unfinished(span) or span.failure is not None]
        if failed and not any(span.failure is None and not unfinished(span) for span in mine):
            yield _finding(evidence, endpoint, failed)


def _beneath(span: Span, owned: set[str], parents: dict[str, str | None]) -> bool:
    above = span.parent
    while above is not None:
        if above in owned:
            return True
        above = parents.get(above)
    return False


def _finding(evidence: Evidence, endpoint: Endpoint, failed: list[Span]) -> Finding:
    seconds = sum(span.seconds(evidence.end_of(span)) for span in failed)
    longest = max(failed, key=lambda span: span.seconds(evidence.end_of(span)))
    held = any(unfinished(span) for span in failed)
    kinds = sorted({span.failure.kind.value for span in failed if span.failure is not None})
    how = "was still waited for when the crew was stopped" if held else f"failed every time ({', '.join(kinds)})"
    owner = endpoint.used_by[0] if endpoint.used_by else "crew/memory"
    limit = wire_limit(longest)
    known = limit is not UNKNOWN
    return Finding(
        code="CD504",
        slug="memory_or_embedder_host_blocked",
        severity=Severity.ERROR if held or seconds >= GRAVE else Severity.WARNING,
        layer=Layer.CREW,
        subject=owner,
        message=(
            f"The embedder of {owner} at {endpoint.host}:{endpoint.port} {how}: "
            f"{wording.plural(len(failed), 'request')}, {wording.seconds(seconds)} of the run; "
            "tasks wait for it before their model is asked."
        ),
        evidence=tuple(span.id for span in failed),
        measured=Quantity(
            "longest request", Seconds(round(longest.seconds(evidence.end_of(longest)), 3)), n=len(failed)
        )
        if known
        else None,
        limit=Quantity("timeout", limit, where="the embedder's client") if known else None,
        fix=Fix(
            "Reach the embedder, or switch memory off",
            'Crew(..., embedder={"provider": "openai", "config": {"api_base": "http://reachable/v1"}})',
        ),
        lost=seconds,
        host=f"{endpoint.host}:{endpoint.port}",
        depends_on=(endpoint.subject,),
    )
