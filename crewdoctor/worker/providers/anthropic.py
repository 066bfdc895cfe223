"""Anthropic models: crewai's AnthropicCompletion.

The live `anthropic.Anthropic` client is read; where crewai built none for want of a key, one is made as crewai would,
with a stand-in key, read and closed. crewai hands `timeout=None` on, which the SDK takes for no limit at all.
Sources: crewai/llms/providers/anthropic/completion.py (1.15.30), anthropic/_base_client.py (0.73.0).
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.setting import UNKNOWN, Provenance, Setting
from crewdoctor.net.clients.httpx_family import direct_async_client, direct_client, library_of
from crewdoctor.wire.redact import redact
from crewdoctor.worker import client_settings
from crewdoctor.worker.client_settings import (
    STAND_IN,
    Variables,
    learnt,
    stream_setting,
    usable,
    where_and_who,
    written,
)
from crewdoctor.worker.hosts import endpoint
from crewdoctor.worker.provenance import Sources, default_of, version_of, was_set
from crewdoctor.worker.unread_keywords import unread_keywords

SDK = "anthropic"
ENVIRONMENT = {"ANTHROPIC_BASE_URL": "{url}", "ANTHROPIC_API_KEY": "crewdoctor-simulated"}
_MODULE = "crewai.llms.providers.anthropic.completion"
_VARIABLES = Variables(("ANTHROPIC_BASE_URL",), ("ANTHROPIC_API_KEY",), SDK)
_PARAMETERS = ("temperature", "top_p", "max_tokens")


def matches(llm: Any) -> bool:
    """Crewai's own class alone: a subclass of the user's may do anything in `call`."""
    return type(llm).__module__ == _MODULE


def describe(llm: Any, subject: str, sources: Sources) -> tuple[LlmEntry, list[Setting]]:
    """Entry and effective settings of the live object."""
    client, made = _client(llm)
    try:
        base_url = str(getattr(client, "base_url", "") or "")
        settings = _settings(llm, client, subject, sources)
    finally:
        if made:
            with contextlib.suppress(Exception):
                client.close()
    where = endpoint(base_url, "llm")
    host = where.host if where else ""
    key = learnt(getattr(llm, "api_key", None) or os.environ.get("ANTHROPIC_API_KEY"))
    settings += where_and_who(llm, subject, sources, base_url, key, _VARIABLES)
    settings += unread_keywords(llm, subject, sources)
    entry = LlmEntry(
        subject=subject,
        model=str(llm.model),
        provider=SDK,
        known=True,
        endpoint=where.subject if where else "",
        users=(subject,),
        usable_key=usable(key, host),
        attrs={
            "base_url": redact(base_url),
            "stream": bool(getattr(llm, "stream", False)),
            "api": "messages",
            "class": type(llm).__name__,
            "library": library_of(SDK),
            "key_variable": "ANTHROPIC_API_KEY",
            "token_count_preflight": True,
            "interceptor": getattr(llm, "interceptor", None) is not None,
            **{name: getattr(llm, name) for name in _PARAMETERS if getattr(llm, name, None) is not None},
        },
    )
    return entry, settings


def raw_call_arguments(llm: Any) -> dict[str, Any]:
    """`{"sdk", "client", "create"}`: keyword arguments for anthropic.Anthropic and `messages.create`, as crewai's."""
    parameters = {name: value for name, value in llm._get_client_params().items() if name != "http_client"}
    create = {"model": str(llm.model)}
    create |= {name: getattr(llm, name) for name in _PARAMETERS if getattr(llm, name, None) is not None}
    thinking = getattr(llm, "thinking", None)
    if thinking is not None:
        create["thinking"] = thinking.model_dump(exclude_none=True) if hasattr(thinking, "model_dump") else thinking
    return {"sdk": SDK, "client": parameters, "create": create}


def rebuilt(live: Any, arguments: dict[str, Any], base_url: str, key: str) -> Any:
    """The same model through its own class, at the embedded endpoint, past the user's proxies."""
    import anthropic

    made = type(live)(**{**arguments, "base_url": base_url.removesuffix("/v1"), "api_key": key})
    if getattr(made, "interceptor", None) is None:
        given = made._get_client_params()
        made._client = anthropic.Anthropic(**{**given, "http_client": direct_client(SDK)})
        made._async_client = anthropic.AsyncAnthropic(**{**given, "http_client": direct_async_client(SDK)})
    return made


def _client(llm: Any) -> tuple[Any, bool]:
    """The live client, or one made as crewai would make it (then True)."""
    for name in ("_client", "client"):
        live = getattr(llm, name, None)
        if hasattr(live, "max_retries"):
            return live, False
    import anthropic

    given = {"base_url": llm.base_url, "timeout": llm.timeout, "max_retries": llm.max_retries}
    given |= {name: value for name, value in (llm.client_params or {}).items() if name != "http_client"}
    return anthropic.Anthropic(**{**given, "api_key": STAND_IN}), True


def _settings(llm: Any, client: Any, subject: str, sources: Sources) -> list[Setting]:
    stream = bool(getattr(llm, "stream", False))
    settings = client_settings.timeouts(
        subject, getattr(client, "timeout", UNKNOWN), _of_timeout(llm, sources), stream=stream
    )
    retries = getattr(client, "max_retries", None)
    whence = written(llm, "max_retries", sources, "crewai")
    settings.append(Setting(subject, "llm", "max_retries", retries, whence, "by the SDK, beside the first attempt"))
    settings.append(stream_setting(llm, subject, sources))
    intercepted = getattr(llm, "interceptor", None) is not None
    built = Provenance("python", "interceptor=: crewai builds a plain httpx.Client") if intercepted else default_of(SDK)
    return settings + client_settings.pool(getattr(client, "_client", None), subject, built)


def _of_timeout(llm: Any, sources: Sources) -> Provenance:
    """Who says it. crewai puts `timeout=None` in the place of the SDK's own default."""
    given = "timeout" in (getattr(llm, "client_params", None) or {})
    own = getattr(llm, "timeout", None) is not None and was_set(llm, "timeout", sources.constructions.of(llm))
    if given or own:
        return written(llm, "timeout", sources, SDK)
    return Provenance("default", f"crewai {version_of('crewai')} gives the {SDK} SDK no timeout".replace("  ", " "))
