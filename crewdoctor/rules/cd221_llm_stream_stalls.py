"""A streamed answer stops in the middle.

## What it compares
The longest silence between two chunks of a stream with the timeout in force, which for a stream bounds every single
wait and never the whole. Error when a stream stood still past that timeout, or was still standing at crewdoctor's
deadline; warning when it went on after more than 10 s (ours).

## Why it matters
With `stream=True` a timeout does not say how long an answer may take, only how long the line may be silent: ten
chunks a second apart pass a timeout of 2 s, one gap of 3 s does not. The SDK does not retry a stream that broke, and
what had arrived is lost.

## Example
A gateway that buffers: tokens for 2 s, then nothing; still open after 20 s, with 600 s to go.

## How to fix
Find who stops sending (a proxy that buffers, a model that is swapped out), set a timeout a little above the longest
honest gap, or do not stream.

## References
- httpx documentation, "Timeouts": the read timeout is per chunk
- openai-python: streams are not retried once they began
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget import cost, timeout_of
from crewdoctor.calls import overload
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import UNKNOWN, Seconds, Timeout
from crewdoctor.model.span import Span
from crewdoctor.waits import WAIT_KEYS, Wait, blocked, unfinished

LONG = 10.0
"""Ours: a gap people take for a hang."""


@rule(
    "CD221", since="0.1", needs=("span:llm.call",), uses=("setting:llm.timeout.read", *WAIT_KEYS, "inventory", "ledger")
)
def llm_stream_stalls(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model: the longest silence within any of its streams."""
    streams = [
        span for span in evidence.spans("llm.call") if span.attrs.get("stream") and not span.attrs.get("simulated")
    ]
    for llm in evidence.inventory.llms:
        if not llm.attrs.get("stream"):
            continue  # crewdoctor streams to time the first token; what the crew never asks for harms nobody
        subjects = {llm.subject, *llm.users}
        gaps = [
            _gap(evidence, span)
            for span in streams
            if span.subject in subjects and span.subject not in evidence.simulated
        ]
        span, gap, wait = max((each for each in gaps if each), key=lambda each: each[1], default=(None, 0.0, None))
        setting = evidence.setting("llm", "timeout.read", llm.subject)
        allowed = timeout_of(setting.value) if setting else UNKNOWN
        beyond = isinstance(allowed, Seconds) and gap > allowed.value
        if span is not None and (gap > LONG or beyond):
            yield _finding(evidence, llm, span, gap, wait, allowed, beyond=beyond)


def _gap(evidence: Evidence, span: Span) -> tuple[Span, float, Wait | None] | None:
    """The longest silence of one stream after its first token."""
    if unfinished(span):
        wait = blocked(evidence, span)
        began = bool(wait.received) or span.attrs.get("first_token") is not None
        if not began or wait.moving or wait.waiting not in {"recv", "unknown", ""}:
            return None
        quiet = _standing(evidence, span, wait)
        return span, quiet, wait
    gap = span.attrs.get("gaps_max")
    return (span, float(gap), None) if isinstance(gap, (int, float)) else None


def _standing(evidence: Evidence, span: Span, wait: Wait) -> float:
    """Seconds since the last byte of a stream that stands still: since the first look that saw all its bytes."""
    same = [
        stack.at - stack.seconds
        for stack in evidence.stacks(step=span.step)
        if stack.at >= span.start and stack.attrs.get("bytes_received") == wait.received
    ]
    since = max(span.start, min(same)) if same else span.start
    return max(0.0, evidence.end_of(span) - since)


def _finding(
    evidence: Evidence, llm: LlmEntry, span: Span, gap: float, wait: Wait | None, allowed: Timeout, *, beyond: bool
) -> Finding:
    setting = evidence.setting("llm", "timeout.read", llm.subject)
    where = f" ({setting.provenance.where})" if setting else ""
    ending = evidence.ledger.would_end_llm(llm.subject, begun=True)
    if wait:
        still = f"stood still for {wording.seconds(gap)} when crewdoctor stopped it"
        text = f"{still} ({wait.text}); {ending.text}"
    else:
        text = (
            f"was silent for {wording.seconds(gap)} between two chunks; it may be for {wording.limit(allowed)}{where}"
        )
    known = allowed is not UNKNOWN
    return Finding(
        code="CD221",
        slug="llm_stream_stalls",
        severity=Severity.ERROR if wait or beyond else Severity.WARNING,
        layer=Layer.LLM,
        subject=llm.subject,
        message=f"{llm.subject} ({llm.model}): the stream began and {text}.{overload(evidence)}",
        evidence=tuple(dict.fromkeys((span.id, *(wait.ids if wait else ()), *((setting.id,) if setting else ())))),
        measured=Quantity("longest silence of a stream", Seconds(round(gap, 3)), n=1) if known else None,
        limit=Quantity("timeout.read", allowed, where=where.strip(" ()")) if known else None,
        location=setting.provenance.location if setting else None,
        fix=Fix("Do not stream, or bound the silence", "LLM(..., stream=True, timeout=30)"),
        lost=cost(ending.after, gap) if wait else gap,
        host=wait.host if wait else "",
        depends_on=(llm.endpoint,) if llm.endpoint else (),
    )
