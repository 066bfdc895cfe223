"""The crew waited for a host that is neither a model's nor a tool's, and did not reach it.

## What it compares
Every look-up, connect and request of the crew's run that failed or did not end, and that belongs to no tool, no model
and no endpoint known of the crew: trackers, package indexes, model hubs, tokenizer files. From two seconds lost it is a
warning; where the crew was still waiting when it was stopped, or lost ten seconds, an error.

## Why it matters
Libraries phone home or fetch a file on first use, mostly with a timeout and a retry nobody chose. With the internet it
is a moment; in a cluster without egress it is minutes, and no setting of the crew speaks of that host.

## Example
openaipublic.blob.core.windows.net:443 did not answer: 12.0 s of the run, for a tokenizer's file.

## How to fix
Allow egress to it, put the file into the image, or switch the feature off in the library's own variable
(`ANONYMIZED_TELEMETRY=False`, `HF_HUB_OFFLINE=1`, `TIKTOKEN_CACHE_DIR`).

## References
- chromadb, huggingface_hub and tiktoken documentation: their variables for offline use
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.exits import address
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Span
from crewdoctor.waits import WIRE, unfinished

NOTABLE, GRAVE = 2.0, 10.0
"""Ours: seconds lost."""
_RUNS = ("crew.kickoff@", "agent.bisect@")
_OWNERS = ("tool.call", "llm.call")


@rule(
    "CD705",
    since="0.1",
    needs=("inventory", "result:crew.kickoff"),
    uses=("span:crew.kickoff", *(f"span:{name}" for name in (*WIRE, *_OWNERS))),
)
def side_host_blocked(evidence: Evidence) -> Iterator[Finding]:
    """One finding per host."""
    evidence.results("crew.kickoff")
    known = {f"{endpoint.host}:{endpoint.port}" for endpoint in evidence.inventory.endpoints}
    known |= {endpoint.host for endpoint in evidence.inventory.endpoints}  # a look-up names no port
    owned = {span.id for name in _OWNERS for span in evidence.spans(name)}
    parents = {span.id: span.parent for span in evidence.recording.spans}
    every = {span.id: span for span in evidence.recording.spans}
    recorded = evidence.program
    stuck = any(unfinished(kickoff) for kickoff in evidence.spans("crew.kickoff"))
    lost: dict[str, list[Span]] = {}
    for name in WIRE:
        for span in evidence.spans(name):
            host = address(span)
            theirs = span.subject.startswith("tool:") or span.subject.endswith("llm") or _beneath(span, owned, parents)
            if stuck and unfinished(span):
                continue  # what the whole crew hangs on is CD507's, with the line that waits
            if recorded and not _within(span, every):
                continue  # a thread of its own, or the end of the process: nothing of the crew's run waited for it
            if span.step.startswith(_RUNS) and host and host not in known and not theirs and _failed(span):
                lost.setdefault(host, []).append(span)
    for host, spans in lost.items():
        seconds = max(sum(span.seconds(evidence.end_of(span)) for span in spans if span.name == name) for name in WIRE)
        if seconds >= NOTABLE:
            yield _finding(host, spans, seconds)


def _within(span: Span, known: dict[str, Span]) -> bool:
    """Whether it lies, in time too, within everything above it up to an import or a kickoff."""
    inner = span
    while inner.parent is not None and inner.parent in known:
        outer = known[inner.parent]
        if outer.end is not None and inner.start > outer.end:
            return False
        inner = outer
    return inner.name in {"python.import", "crew.kickoff", "agent.execution"}


def _failed(span: Span) -> bool:
    return unfinished(span) or span.failure is not None


def _beneath(span: Span, owned: set[str], parents: dict[str, str | None]) -> bool:
    above = span.parent
    while above is not None:
        if above in owned:
            return True
        above = parents.get(above)
    return False


def _finding(host: str, spans: list[Span], seconds: float) -> Finding:
    held = any(unfinished(span) for span in spans)
    kinds = sorted({span.failure.kind.value for span in spans if span.failure is not None})
    how = "was still waited for when the crew was stopped" if held else f"was not reached ({', '.join(kinds)})"
    return Finding(
        code="CD705",
        slug="side_host_blocked",
        severity=Severity.ERROR if held or seconds >= GRAVE else Severity.WARNING,
        layer=Layer.ENVIRONMENT,
        subject=f"host:{host}",
        message=(
            f"{host} {how}: {wording.seconds(seconds)} of the crew's run went there, and it is no endpoint of a model "
            "or a tool of this crew."
        ),
        evidence=tuple(span.id for span in spans),
        measured=Quantity("wait", Seconds(round(seconds, 3)), n=len(spans)),
        limit=Quantity("a wait that nobody notices", Seconds(NOTABLE), where="crewdoctor"),
        fix=Fix(f"Allow egress to {host}, or switch off what asks for it", "export HF_HUB_OFFLINE=1", "sh"),
        lost=seconds,
        host=host,
    )
