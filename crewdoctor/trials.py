"""What the experiments on models saw: one trial per model and way to fail. Pure."""

from __future__ import annotations

from crewdoctor.llm.experiments import CALL
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.proof import Trial
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Bound, Seconds, Timeout
from crewdoctor.model.span import Span
from crewdoctor.wire.codec import WireError, decode_timeout

_OF_PHASE = {"connect": "connect", "tls": "connect"}
"""Which of a request's timeouts bounds the phase; the read timeout elsewhere."""


def trials(evidence: Evidence) -> tuple[Trial, ...]:
    """All of them, in order of time."""
    beneath: dict[str, list[Span]] = {}
    for span in evidence.recording.experiments.spans:
        if span.parent is not None:
            beneath.setdefault(span.parent, []).append(span)
    return tuple(_trial(call, _all(call, beneath)) for call in evidence.experiments(CALL) if not _cut(evidence, call))


def _cut(evidence: Evidence, call: Span) -> bool:
    """Whether crewdoctor itself ended it: then nothing was watched to its end."""
    return call.open and call.seconds(_end(evidence, call)) < float(call.attrs.get("watched") or 0.0)


def _end(evidence: Evidence, call: Span) -> float:
    return call.end if call.end is not None else evidence.end_of(call)


def _all(span: Span, beneath: dict[str, list[Span]]) -> list[Span]:
    found: list[Span] = []
    waiting = [span.id]
    while waiting:
        for each in beneath.get(waiting.pop(), ()):
            found.append(each)
            waiting.append(each.id)
    return sorted(found, key=lambda each: each.start)


def _trial(call: Span, within: list[Span]) -> Trial:
    asked = [span for span in within if span.name == "http.request"]
    tried = asked or [span for span in within if span.name in {"tcp.connect", "tls.handshake"}]
    until = call.end if call.end is not None else call.start
    ends = [span.end if span.end is not None else until for span in tried]
    phase = str(call.attrs.get("phase", ""))
    written = call.attrs.get("written")
    return Trial(
        subject=call.subject,
        phase=phase,
        seconds=round(until - call.start, 3),
        ended=call.failure is None or call.failure.kind.value != "deadline",
        requests=len(tried),
        attempt=round(ends[0] - tried[0].start, 3) if tried else 0.0,
        pauses=tuple(round(max(0.0, later.start - end), 3) for end, later in zip(ends, tried[1:], strict=False)),
        error=str(call.attrs.get("error") or ""),
        limit=float(call.attrs.get("limit") or 0.0),
        written={str(name): float(value) for name, value in written.items()} if isinstance(written, dict) else {},
        in_force=_in_force(within, _OF_PHASE.get(phase, "read")),
        span=call.id,
    )


def _in_force(within: list[Span], phase: str) -> Timeout:
    """The limit of the request where it says one, else the one of the socket it waited on."""
    for span in within:
        held = span.attrs.get("timeout")
        if span.name == "http.request" and isinstance(held, dict) and phase in held:
            return _timeout(held[phase])
    names = {"connect": ("tls.handshake", "tcp.connect")}.get(phase, ("net.exchange",))
    for name in names:
        for span in within:
            if span.name == name and "timeout" in span.attrs:
                return _timeout(span.attrs["timeout"])
    return UNKNOWN


def _timeout(held: object) -> Timeout:
    if isinstance(held, (Seconds, Bound)):
        return held
    if held is None:
        return UNLIMITED
    if isinstance(held, (int, float)) and not isinstance(held, bool):
        return Seconds(float(held))
    try:
        return decode_timeout(held)
    except WireError:
        return UNKNOWN
