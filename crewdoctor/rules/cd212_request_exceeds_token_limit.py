"""The request was longer than the model takes: no retry and no timeout changes that.

## What it compares
The answers of a model's server that say so (OpenAI's `context_length_exceeded`, Anthropic's "prompt is too long", a 429
"Request too large", and the like) with the calls that got through: when every call of the crew since was turned away it
is an error, when crewAI's summary of the conversation helped a warning.

## Why it matters
It looks like a provider that fails: crewAI begins the task anew, or summarises and asks again, and each attempt costs a
call. A short test call works, because it is short. As a 429 it even looks like a rate that waiting would help.

## Example
`maximum context length is 8192 tokens. However, your messages resulted in 9120 tokens`: 3 of 4 calls of the crew.

## How to fix
Send less: cut what tools return, give a task less context, leave `respect_context_window=True`, the default; or take a
model with a longer window.

## References
- OpenAI documentation, "Error codes"; Anthropic documentation, "Errors"
- crewAI `agents/agent_executor.py`: summarises when the context is exceeded
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.calls import Attempt, as_the_crew, attempts, told, too_long
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule


@rule("CD212", since="0.1", needs=("span:http.request", "span:llm.call"), uses=("inventory",))
def request_exceeds_token_limit(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model that turned a call of the crew away for its length."""
    for llm in evidence.inventory.llms:
        made = [each for each in attempts(evidence, llm) if as_the_crew(each) and not each.ours]
        longer = [each for each in made if too_long(each)]
        if longer:
            yield _finding(llm, made, longer)


def _finding(llm: LlmEntry, made: list[Attempt], longer: list[Attempt]) -> Finding:
    helped = any(each.ok and each.span.start > longer[-1].span.start for each in made)
    outcome = "crewAI shortened the conversation and went on" if helped else "none after it got through"
    sizes = [size for each in longer if isinstance(size := each.call.attrs.get("prompt_chars"), int)]
    size = f", {max(sizes)} characters at most" if sizes else ""
    return Finding(
        code="CD212",
        slug="request_exceeds_token_limit",
        severity=Severity.WARNING if helped else Severity.ERROR,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"{len(longer)} of {wording.plural(len(made), 'request')} of the crew were longer than {llm.subject} "
            f"({llm.model}) takes{size}: {told(longer[0]).rstrip('.')}; {outcome}."
        ),
        evidence=tuple(dict.fromkeys(span.id for each in longer for span in (each.span, each.call))),
        measured=Quantity("requests too long", len(longer), "requests", n=len(made)),
        limit=Quantity("requests that would have told it", 1, "requests"),
        fix=Fix("Send less: cut what tools return and what tasks pass on", "return text[:4000]  # in the tool"),
        lost=sum(each.seconds for each in longer),
        depends_on=(llm.endpoint,) if llm.endpoint else (),
    )
