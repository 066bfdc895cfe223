"""The model's server says no for good, and is asked again.

## What it compares
Requests answered with an error that no repetition changes, with the one request that would have told it: a key that is
refused (401, 403), a model or path that is not there (404), a request that is not accepted (400, 413, 422), a quota
that is used up (429 with code `insufficient_quota`), an answer that is no completion (a login page, an empty body).
It speaks where such requests failed to the end: none after them got through.

## Why it matters
No timeout and no retry takes part in it, but crewAI repeats the whole task all the same (`max_retry_limit`), and takes
a used-up quota for a passing rate limit: 27 requests. What is printed last is often another error than the first.

## Example
`api_key` of another project: three times 401 in 0.1 s.

## How to fix
401, 403: another key. 404: the model's name, or `base_url` (most servers want it to end in `/v1`). 400: what the text
says. `insufficient_quota`: the account's billing; waiting does not help.

## References
- RFC 9110 section 15.5 (the client error class); OpenAI documentation, "Error codes"
- openai-python `_base_client.py` (`_should_retry`); crewAI `agent/core.py` (max_retry_limit), `llms/retry.py`
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.calls import MODEL_KEYS, Attempt, attempts, in_crew, told, too_long
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Setting

KEY, NOT_FOUND = frozenset({401, 403}), 404
REPEATED = "Agent(..., max_retry_limit=0)"


@rule(
    "CD214",
    since="0.1",
    needs=("span:http.request", "span:llm.call"),
    uses=("inventory", "setting:llm.api_key", "setting:llm.base_url"),
)
def permanent_error_retried(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model whose requests ended in the same final no."""
    for llm in evidence.inventory.llms:
        made = [each for each in attempts(evidence, llm) if not each.ours]
        last = _last_no(made)
        if last is not None and not too_long(last):
            same = [each for each in made if _alike(each, last)]
            yield _finding(evidence, llm, last, same)


def _alike(each: Attempt, last: Attempt) -> bool:
    """The same no; where only a call of ours can read it, also the crew's calls that failed on a success."""
    if last.unreadable and not each.sdk:
        return each.ok and each.call.failure is not None
    return each.final and each.status == last.status


def _last_no(made: list[Attempt]) -> Attempt | None:
    """The final no that stands at the end; None where something got through after it, or nothing was final.

    Of the crew's own calls only the status is known: that a success was no completion, a call of ours has to tell.
    """
    crew = next((each for each in reversed(made) if in_crew(each.span) and each.status), None)
    alone = next((each for each in reversed(made) if each.sdk), None)
    if crew is None or (crew.ok and crew.call.failure is not None and alone is not None and alone.unreadable):
        return alone if alone is not None and alone.final else None
    return crew if crew.final else None


def _finding(evidence: Evidence, llm: LlmEntry, last: Attempt, same: list[Attempt]) -> Finding:
    crew = [each for each in same if each.span.step.startswith("crew.")]
    words = next((text for each in sorted(same, key=lambda each: not each.sdk) if (text := told(each))), "no text")
    name, fix = _remedy(llm, last)
    held = {each: evidence.setting("llm", each, llm.subject) for each in ("api_key", "base_url")}
    setting = held.get(name)
    whence = f" ({name}: {setting.provenance.where})" if setting else ""
    answered = "with no completion" if last.unreadable else f"{last.status}"
    alone = "asked alone, not by the crew" if evidence.inventory.crew else f"asked {wording.plural(len(same), 'time')}"
    asked = f"asked {wording.plural(len(crew), 'time')} by the crew" if crew else alone
    return Finding(
        code="CD214",
        slug="permanent_error_retried",
        severity=Severity.ERROR,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"The server of {llm.subject} ({llm.model}) answers {answered}{whence}: {words}. "
            f"It was {asked}; asking again, or waiting longer, changes nothing."
        ),
        evidence=tuple(dict.fromkeys([*(span.id for each in same for span in (each.span, each.call)), *_id(setting)])),
        measured=Quantity(f"requests answered {answered}", len(same), "requests", n=len(same)),
        limit=Quantity("requests that would have told it", 1, "requests"),
        location=setting.provenance.location if setting else None,
        fix=fix,
        lost=_spent(crew or same),
        depends_on=(llm.endpoint,) if llm.endpoint else (),
    )


def _id(setting: Setting | None) -> tuple[str, ...]:
    return (setting.id,) if setting else ()


def _spent(made: list[Attempt]) -> float:
    return max(each.span.start + each.seconds for each in made) - made[0].span.start


def _remedy(llm: LlmEntry, last: Attempt) -> tuple[str, Fix]:
    """The setting in question, and what to do about it."""
    if last.status in KEY:
        return "api_key", Fix(
            "Give a key this server accepts, with access to this model",
            f'LLM(..., api_key=os.environ["{_key_of(llm)}"])',
        )
    if last.status == NOT_FOUND and llm.attrs.get("key_variable"):
        return "base_url", Fix(
            f"Correct the model's name: {llm.provider} has no {llm.model} here", f'LLM(model="{llm.provider}/...")'
        )
    if last.status == NOT_FOUND:
        base = str(llm.attrs.get("base_url") or "https://api.openai.com/v1").rstrip("/")
        return "base_url", Fix(
            f"Correct the path of base_url, or the model's name: {base} has no {llm.model} here{_hint(base)}",
            f'curl -sS "{base}/models" -H "Authorization: Bearer $OPENAI_API_KEY"',
            "sh",
        )
    if last.limited:
        return "", Fix("Raise the quota of this key's account; until then repeat nothing", REPEATED)
    if last.unreadable:
        base = str(llm.attrs.get("base_url") or "").rstrip("/")
        return "base_url", Fix("See who answers there instead of the model", f'curl -sSi "{base}/models"', "sh")
    return "", Fix("Change the request as the answer says; repeat nothing", REPEATED)


def _key_of(llm: LlmEntry) -> str:
    """The variable that holds the key of this provider."""
    return str(llm.attrs.get("key_variable") or "OPENAI_API_KEY")


def _hint(base: str) -> str:
    return "" if base.endswith("/v1") else f"; most servers want {base}/v1"


__all__ = ["MODEL_KEYS", "permanent_error_retried"]
