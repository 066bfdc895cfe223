"""Models crewai hands to LiteLLM: its own `LLM` class, for names no native provider of crewai's takes.

There is no client to read: LiteLLM picks one per call. `timeout` and `max_retries` are keywords of the call and
honoured; what holds without them differs by provider and is UNKNOWN. Sources: crewai/llm.py (1.15.30)
`_prepare_completion_params`; litellm 1.110 `get_llm_provider`, `validate_environment`.
"""

from __future__ import annotations

from typing import Any

from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.setting import UNKNOWN, Provenance, Seconds, Setting, Timeout
from crewdoctor.wire.redact import redact
from crewdoctor.worker.client_settings import Variables, learnt, phase_of, stream_setting, usable, where_and_who
from crewdoctor.worker.hosts import endpoint
from crewdoctor.worker.provenance import Sources, version_of

SDK = "litellm"
_MODULE = "crewai.llm"
_RETRIES = ("max_retries", "num_retries")


def matches(llm: Any) -> bool:
    """Crewai's own class alone, where it falls back."""
    return type(llm).__module__ == _MODULE and bool(getattr(llm, "is_litellm", True))


def describe(llm: Any, subject: str, sources: Sources) -> tuple[LlmEntry, list[Setting]]:
    """Entry and settings, as the object will pass them on with each call."""
    provider, base_url, has_key = _of_litellm(llm)
    where = endpoint(base_url, "llm") if base_url else None
    key = learnt(getattr(llm, "api_key", None))
    settings = _settings(llm, subject, sources)
    variables = Variables((), (), SDK)
    settings += where_and_who(llm, subject, sources, base_url, key or ("held" if has_key else ""), variables)
    entry = LlmEntry(
        subject=subject,
        model=str(llm.model),
        provider=SDK,
        known=True,
        endpoint=where.subject if where else "",
        users=(subject,),
        usable_key=usable(key, where.host if where else "") if key else has_key,
        attrs={
            "base_url": redact(base_url),
            "stream": bool(getattr(llm, "stream", False)),
            "api": provider or "completion",
            "raw": False,
            "class": type(llm).__name__,
            "library": "httpx",
            "key_variable": f"{provider.upper()}_API_KEY" if provider else "",
            "token_count_preflight": False,
        },
    )
    return entry, settings


def raw_call_arguments(_llm: Any) -> dict[str, Any]:
    """None to give: LiteLLM is the SDK, and reaches each provider in a way of its own. Raises ValueError."""
    raise ValueError("a model behind LiteLLM has no SDK of its own; the full crew shows what it does")


def _of_litellm(llm: Any) -> tuple[str, str, bool | None]:
    """Provider, base URL and whether a key is in the environment, as LiteLLM would tell; empty where it cannot."""
    written = str(getattr(llm, "base_url", None) or getattr(llm, "api_base", None) or "")
    try:
        import litellm

        _, provider, key, base = litellm.get_llm_provider(llm.model, api_base=written or None)
        told = litellm.validate_environment(llm.model)
    except Exception:  # a name it does not know: calls will say so
        return "", written, None
    return str(provider or ""), str(base or written), bool(key) or bool(told.get("keys_in_environment"))


def _settings(llm: Any, subject: str, sources: Sources) -> list[Setting]:
    held = getattr(llm, "timeout", None)
    unknown = Provenance("default", f"{SDK} {version_of(SDK)} decides by provider")
    whence = sources.of(llm, "timeout") if held is not None else unknown
    settings = []
    for phase in ("connect", "read", "write", "pool"):
        value: Timeout = phase_of(held, phase) if held is not None else UNKNOWN
        note = "bounds each wait, per attempt" if phase == "read" and isinstance(value, Seconds) else ""
        settings.append(Setting(subject, "llm", f"timeout.{phase}", value, whence, note))
    given = dict(getattr(llm, "additional_params", None) or {})
    name = next((each for each in _RETRIES if given.get(each) is not None), "")
    retries = given.get(name)
    of_retries = sources.of(llm, name) if name else unknown
    settings.append(Setting(subject, "llm", "max_retries", retries, of_retries, "beside the first attempt"))
    settings.append(stream_setting(llm, subject, sources))
    return settings
