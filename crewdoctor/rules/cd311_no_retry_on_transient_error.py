"""A passing fault of the model's server reaches the crew, because nothing asks again.

## What it compares
Requests that failed for a reason another moment may change (500 and above, a connection reset or closed) with the
repetitions in force: `max_retries=0` leaves none in the SDK. Error where such a failure ended the crew's call; warning
where it happened to other calls while some got through.

## Why it matters
One request in a few hundred fails at any provider, many more where a balancer stands before restarting servers. The
SDK's two retries, with backoff, hide that. Without them it is crewAI that repeats, and it repeats the whole task, tools
included; with `max_retry_limit=0` the crew is over.

## Example
`LLM(..., max_retries=0)` at a gateway that answers 503 to one request in three: a crew of eight calls rarely ends.

## How to fix
Let the SDK repeat: `LLM(..., max_retries=2)`. Where every request fails, see to the server first.

## References
- openai-python `_base_client.py` (`_should_retry`: connection errors, 408, 409, 429, 500 and above)
- AWS Builders' Library, "Timeouts, retries and backoff with jitter"
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.calls import SERVER_ERROR, Attempt, attempts, told
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Setting
from crewdoctor.model.span import FailureKind

BROKEN = {FailureKind.TCP_RESET: "the connection was reset", FailureKind.TCP_CLOSED: "the connection was closed"}


@rule(
    "CD311",
    since="0.1",
    needs=("span:http.request", "span:llm.call", "setting:llm.max_retries"),
    uses=("inventory",),
)
def no_retry_on_transient_error(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model whose SDK repeats nothing and that was seen to need it."""
    for llm in evidence.inventory.llms:
        setting = evidence.setting("llm", "max_retries", llm.subject)
        made = [each for each in attempts(evidence, llm) if not each.ours]
        failed = [each for each in made if _passing(each)]
        if setting is None or setting.value != 0 or not failed:
            continue
        crew = [each for each in made if each.span.step.startswith("crew.")]
        ended = bool(crew) and _passing(crew[-1])
        if any(each.ok for each in made) or (ended and len(crew) == 1):
            yield _finding(llm, setting, made, failed, ended=ended)


def _passing(attempt: Attempt) -> bool:
    failure = attempt.span.failure
    return attempt.status >= SERVER_ERROR or (failure is not None and failure.kind in BROKEN)


def _finding(llm: LlmEntry, setting: Setting, made: list[Attempt], failed: list[Attempt], *, ended: bool) -> Finding:
    last = failed[-1]
    broken = last.span.failure.kind if last.span.failure else FailureKind.UNKNOWN
    words = told(last)
    why = f"answered {last.status}{f': {words}' if words else ''}" if last.status else BROKEN.get(broken, broken.value)
    all_of_them = len(failed) == len(made)
    outcome = "the crew's call ended with it" if ended else "the crew's own calls got through this time"
    return Finding(
        code="CD311",
        slug="no_retry_on_transient_error",
        severity=Severity.ERROR if ended else Severity.WARNING,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"{len(failed)} of {wording.plural(len(made), 'request')} to the server of {llm.subject} ({llm.model}) "
            f"failed ({why}), and max_retries=0 ({setting.provenance.where}) repeats none; {outcome}."
        ),
        evidence=tuple(dict.fromkeys([*(span.id for each in failed for span in (each.span, each.call)), setting.id])),
        measured=Quantity("requests failed", len(failed), "requests", n=len(made)),
        limit=Quantity("max_retries", 0, "retries", where=setting.provenance.where),
        location=setting.provenance.location,
        fix=Fix(
            "See why the server fails every request" if all_of_them else "Let the SDK repeat what failed in passing",
            "LLM(..., max_retries=2)",
        ),
        lost=sum(each.seconds for each in failed),
        depends_on=(llm.endpoint,) if llm.endpoint else (),
        observed=ended,
    )
