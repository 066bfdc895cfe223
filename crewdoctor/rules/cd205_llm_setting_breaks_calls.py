"""A keyword that the model's constructor takes makes every one of its calls fail.

## What it compares
The keywords crewAI's `LLM` does not know and therefore puts into every call of the SDK, with the arguments that call
takes on the installed version; and the calls that were made, those against a server of ours (`--prove`) among them:
those that raised TypeError for such a keyword before anything was sent. It stays silent where a call of the model
succeeded.

## Why it matters
The crew constructs, starts, and fails at its first model call with a TypeError; with retries of the task it does so
three times. `request_timeout`, LangChain's name, is the usual one: whoever wrote it wanted a timeout and got an outage.

## Example
`LLM(model="openai/gpt-4o", request_timeout=30)`: `Completions.create() got an unexpected keyword argument
'request_timeout'`, in every call.

## How to fix
Use crewAI's names: `timeout`, `max_retries`; what the SDK's client takes goes into `client_params`, what the provider's
API takes beyond the SDK into `extra_body`.

## References
- crewAI `llms/base_llm.py`: unknown keywords become `additional_params`, merged into every request
- openai-python `resources/chat/completions`: `create` takes no further keywords
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.llm.experiments import CALL
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import REFUSED, Setting
from crewdoctor.model.span import FailureKind, Span

_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
_KNOWN = ("timeout", "max_retries", "max_tokens", "temperature", "top_p", "base_url", "api_key", "stream", "seed")


@rule("CD205", since="0.1", needs=("inventory",), uses=("span:llm.call", "span:http.request", "experiments"))
def llm_setting_breaks_calls(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model and keyword."""
    for llm in evidence.inventory.llms:
        refused = {
            setting.name.removeprefix(REFUSED): setting
            for setting in evidence.inventory.settings
            if setting.subject == llm.subject and setting.name.startswith(REFUSED)
        }
        calls = [span for span in evidence.spans("llm.call") if span.subject in {llm.subject, *llm.users}]
        broken = {span.id: name for span in calls if (name := _keyword(evidence, span))}
        tried = [span for span in evidence.experiments(CALL, subject=llm.subject) if _named(span)]
        calls += tried[:1]
        broken |= {span.id: _named(span) for span in tried[:1]}
        if any(span.failure is None and not span.open for span in calls) or not (refused or broken):
            continue
        for name in dict.fromkeys((*broken.values(), *refused)):
            # One keyword ends a call: the others it was given are only known from the signature.
            seen = [span for span in calls if broken.get(span.id) == name]
            if name in refused or seen:
                yield _finding(evidence, llm, name, refused.get(name), seen)


def _keyword(evidence: Evidence, span: Span) -> str:
    """The keyword a call was refused for before anything was sent; empty for any other end."""
    failure = span.failure
    if failure is None or failure.kind is not FailureKind.BAD_ARGUMENT or evidence.children(span, "http.request"):
        return ""
    return _named(span)


def _named(span: Span) -> str:
    found = _UNEXPECTED.search(span.failure.text if span.failure else "")
    return found[1] if found else ""


def _finding(evidence: Evidence, llm: LlmEntry, name: str, setting: Setting | None, seen: list[Span]) -> Finding:
    written = f" ({setting.provenance.where})" if setting else ""
    value = f"={setting.value}" if setting and isinstance(setting.value, (int, float)) else ""
    version = evidence.inventory.versions.get("openai", "")
    if seen:
        failed = f"{wording.plural(len(seen), 'call')} failed before anything was sent"
        told = f"{failed} ({seen[0].failure.text if seen[0].failure else ''})"
    else:
        told = f"crewAI puts it into every call, and it is {setting.note if setting else 'no argument of it'}"
        told += f" (openai {version})" if version else ""
    better = _better(name)
    hint = f"{better}{value or '=...'}" if better else f'extra_body={{"{name}": ...}}'
    return Finding(
        code="CD205",
        slug="llm_setting_breaks_calls",
        severity=Severity.ERROR,
        layer=Layer.LLM,
        subject=llm.subject,
        message=f"`LLM({name}{value})`{written} breaks every call of {llm.subject} ({llm.model}): {told}.",
        evidence=tuple(dict.fromkeys((*((setting.id,) if setting else ()), *(span.id for span in seen)))),
        location=setting.provenance.location if setting else None,
        fix=Fix(
            f"Write `{better}` instead of `{name}`" if better else f"Remove `{name}`, or move it to `extra_body`",
            f"LLM(..., {hint})",
        ),
        lost=sum(span.seconds() for span in seen),
        observed=bool(seen),
    )


def _better(name: str) -> str:
    """The name crewAI knows for what was meant, where one is near."""
    if "timeout" in name or "deadline" in name:
        return "timeout"
    if "retr" in name:
        return "max_retries"
    return next(iter(difflib.get_close_matches(name, _KNOWN, 1, 0.75)), "")
