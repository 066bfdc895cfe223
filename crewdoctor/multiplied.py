"""Why requests of a storm failed, and how many one call becomes, counted before any storm has come. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from crewdoctor import wording
from crewdoctor.calls import FIRST_ERROR, Attempt, told
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.span import FailureKind
from crewdoctor.proofs import PROOF_KEYS, counted

WORDS = {
    FailureKind.TCP_RESET: "the connection was reset",
    FailureKind.TCP_CLOSED: "the connection was closed before the answer was complete",
    FailureKind.TIMEOUT_READ: "no answer within the read timeout",
    FailureKind.TIMEOUT_CONNECT: "no connection within the connect timeout",
}


@dataclass(frozen=True, slots=True)
class Multiplied:
    """The worst of what our server answered."""

    requests: int
    """Of one call."""
    executions: int
    status: str
    said: str
    evidence: tuple[str, ...]

    @property
    def all(self) -> int:
        """Requests until the crew gives up."""
        return self.requests * self.executions


def multiplied(evidence: Evidence, llm: LlmEntry) -> Multiplied | None:
    """What an experiment counted for this model; None where there was none, or one call stayed one request."""
    seen = {each.phase: each for each in counted(evidence, llm.subject)}
    ended = [each for name in ("500", "429") if (each := seen.get(name)) is not None and each.ended]
    worst = max(ended, key=lambda each: each.requests, default=None)
    if worst is None or worst.requests <= 1:
        return None
    terms = evidence.ledger.terms(llm.subject)
    executions = terms.executions if terms is not None else 1
    counts = wording.joined([f"{each.requests} on {each.phase}" for each in ended])
    said = f"one call of it, against a server of ours that fails, made {counts}"
    return Multiplied(worst.requests, executions, worst.phase, said, tuple(each.span for each in ended))


def cause_of(attempt: Attempt) -> str:
    """Why one request of a storm got no answer, in words."""
    if attempt.status >= FIRST_ERROR:
        words = "" if attempt.final else told(attempt)  # CD214 quotes those
        return f"answered {attempt.status}{f': {words}' if words else ''}"
    failure = attempt.span.failure
    return WORDS.get(failure.kind, failure.kind.value) if failure else "no answer"


__all__ = ["PROOF_KEYS", "Multiplied", "cause_of", "multiplied"]
