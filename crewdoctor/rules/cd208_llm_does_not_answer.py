"""The model's server accepts the request and never answers it.

## What it compares
How long requests were watched without a single byte of an answer, with what would have ended them: the read timeout
in force, times the attempts of the SDK and of crewAI. It speaks only when no request of any probe was ever answered,
errors included: a model that is slow but honest answers one of them.

## Why it matters
A connection that was accepted looks healthy to every check that only connects. The client waits its whole read
timeout (600 s by default), the SDK asks again, and crewAI runs the task again: nine times 600 s on defaults.

## Example
A gateway whose backend is gone: connected in 2 ms, no byte after 20 s; left alone, the crew would give up after 90
min.

## How to fix
Look at the server behind the address (is the model loaded, is the queue full?), and bound the wait so that next time
it is a matter of seconds: `LLM(model=..., timeout=60, max_retries=1)`.

## References
- openai-python `_base_client.py`: attempts and backoff; httpx: the read timeout restarts with every chunk
- Google SRE Book, chapter 22: a request nobody will answer should be given up early
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.bounded_models import bounded_model
from crewdoctor.budget import LlmTerms, cost
from crewdoctor.calls import MODEL_KEYS, Attempt, attempts
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.waits import WAIT_KEYS, blocked, unfinished

BOUND = 60.0
PATIENCE = 10.0
"""Ours: seconds without a byte from which silence is reported. Honest models take 8 s to the first token."""


@rule("CD208", since="0.1", needs=("span:llm.call",), uses=(*MODEL_KEYS, *WAIT_KEYS, "inventory", "ledger"))
def llm_does_not_answer(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model of which no request was ever answered."""
    for llm in evidence.inventory.llms:
        made = attempts(evidence, llm)
        waited = [each for each in made if _silent(evidence, each)]
        if not waited or any(each.answered or _began(evidence, each) for each in made):
            continue
        longest = max(waited, key=lambda each: each.seconds)
        if longest.seconds >= PATIENCE:
            yield _finding(evidence, llm, longest, len(waited))


def _began(evidence: Evidence, attempt: Attempt) -> bool:
    """Whether some of an answer came before it stood still: a stall (CD221), not silence."""
    return unfinished(attempt.span) and bool(blocked(evidence, attempt.call).received)


def _silent(evidence: Evidence, attempt: Attempt) -> bool:
    """Whether it was accepted, and waited for an answer that did not come."""
    if attempt.answered:
        return False
    if attempt.timed_out:
        return True
    return unfinished(attempt.span) and blocked(evidence, attempt.call).waiting == "recv"


def _bound(terms: LlmTerms | None) -> str:
    """The timeout to suggest: the user's own where it is shorter, for then the retries make the wait."""
    own = terms.read.value if terms and isinstance(terms.read, Seconds) else BOUND
    return f"{min(own, BOUND):g}"


def _finding(evidence: Evidence, llm: LlmEntry, longest: Attempt, count: int) -> Finding:
    wait = blocked(evidence, longest.call)
    ending = evidence.ledger.would_end_llm(llm.subject)
    terms = evidence.ledger.terms(llm.subject)
    setting = terms.read_setting if terms else None
    endpoint = next((each for each in evidence.inventory.endpoints if each.subject == llm.endpoint), None)
    host = f"{endpoint.host}:{endpoint.port}" if endpoint else wait.host
    return Finding(
        code="CD208",
        slug="llm_does_not_answer",
        severity=Severity.ERROR,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"{llm.subject} ({llm.model}) accepted the request and sent no byte in {wording.seconds(longest.seconds)} "
            f"(recv from {host or 'an unknown peer'}, {wording.plural(count, 'request')}, "
            f"none answered); {ending.text}."
        ),
        evidence=tuple(dict.fromkeys((longest.call.id, longest.span.id, *wait.ids, *ending.ids))),
        measured=Quantity("wait without a byte", Seconds(round(longest.seconds, 3)), n=count) if terms else None,
        limit=Quantity("timeout.read", terms.read, where=ending.where) if terms else None,
        location=setting.provenance.location if setting else None,
        fix=Fix(
            f"See why {host or 'the server'} does not answer; bound the wait meanwhile",
            bounded_model(llm, _bound(terms)),
        ),
        lost=cost(ending.after, longest.seconds),
        host=host,
        depends_on=(llm.endpoint,) if llm.endpoint else (),
    )
