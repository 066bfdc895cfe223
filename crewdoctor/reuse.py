"""Connections used more than once: which request went over which, and how long the connection had been idle before."""

from __future__ import annotations

from dataclasses import dataclass

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.span import FailureKind, Span

CUT_OFF = {FailureKind.TCP_RESET, FailureKind.TCP_CLOSED}
UNANSWERED = {FailureKind.TIMEOUT_READ, FailureKind.TIMEOUT_TOTAL}


@dataclass(frozen=True, slots=True)
class Use:
    """One request and the connection it went over."""

    request: Span
    exchange: Span
    idle: float
    """Seconds since the exchange before it on that connection; 0 on a fresh one."""

    @property
    def ok(self) -> bool:
        """Whether it was answered."""
        return self.request.failure is None and self.request.end is not None

    @property
    def mute(self) -> bool:
        """Whether it failed without a byte of an answer."""
        kind = self.request.failure.kind if self.request.failure else None
        return kind in CUT_OFF | UNANSWERED and not self.exchange.attrs.get("received_bytes")


def uses(evidence: Evidence) -> list[Use]:
    """Requests of the crew with their connections, in order of start.

    Touches `span:net.exchange` and `span:http.request`.
    """
    parents = {span.id: span for span in evidence.spans("http.request") if not span.step.startswith("net.")}
    last: dict[tuple[str, object], float] = {}
    found = []
    for exchange in evidence.spans("net.exchange"):
        key = (exchange.step, exchange.attrs.get("connection"))
        before = last.get(key)
        last[key] = evidence.end_of(exchange)
        if exchange.parent in parents:
            found.append(Use(parents[exchange.parent], exchange, max(0.0, exchange.start - before) if before else 0.0))
    return found


def proved(stale: Use, fresh: list[Use]) -> bool:
    """Cut off at once; or, unanswered, the same call was then answered on a fresh connection: it was not slow."""
    assert stale.request.failure is not None
    if stale.request.failure.kind in CUT_OFF:
        return True
    again = (each for each in fresh if each.ok and each.request.start >= stale.request.start)
    return any(each.request.parent == stale.request.parent for each in again)
