"""OpenAI and OpenAI-compatible models: crewai's OpenAICompletion and its subclasses.

The live `openai.OpenAI` client is read; where crewai built none for want of a key, one is made as crewai would, with a
stand-in key, read and closed. Sources: crewai/llms/providers/openai/completion.py, openai/_constants.py (2.54.0).
"""

from __future__ import annotations

import contextlib
import inspect
import os
from typing import Any

from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.setting import DROPPED, REFUSED, UNKNOWN, Provenance, Setting
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
from crewdoctor.worker.dropped import plain
from crewdoctor.worker.hosts import endpoint
from crewdoctor.worker.provenance import Sources, default_of

_COMPATIBLE = "crewai.llms.providers.openai_compatible.completion"
_MODULES = (
    "crewai.llms.providers.openai.completion",
    _COMPATIBLE,
    "crewai.llms.providers.snowflake.completion",
)
_BASE_URLS = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
_PARAMETERS = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "reasoning_effort")


def matches(llm: Any) -> bool:
    """Crewai's own classes alone: a subclass of the user's may do anything in `call`."""
    return type(llm).__module__ in _MODULES


def describe(llm: Any, subject: str, sources: Sources) -> tuple[LlmEntry, list[Setting]]:
    """Entry and effective settings of the live object."""
    client, made = _client(llm)
    try:
        base_url = str(getattr(client, "base_url", "") or getattr(llm, "base_url", "") or "")
        where = endpoint(base_url, "llm")
        settings = _settings(llm, client, subject, sources) + _refused(llm, client, subject, sources)
        settings += _unused_base(llm, base_url, subject, sources)
    finally:
        if made:
            with contextlib.suppress(Exception):
                client.close()
    key = learnt(getattr(llm, "api_key", None) or os.environ.get("OPENAI_API_KEY"))
    named = _BASE_URLS if type(llm).__module__ == _MODULES[0] else ()
    variables = Variables(named, ("OPENAI_API_KEY",), "openai")
    settings += where_and_who(llm, subject, sources, base_url, key, variables)
    entry = LlmEntry(
        subject=subject,
        model=str(llm.model),
        provider=_provider(llm, where.host if where else ""),
        known=True,
        endpoint=where.subject if where else "",
        users=(subject,),
        usable_key=usable(key, where.host if where else ""),
        attrs={
            "base_url": redact(base_url),
            "stream": bool(getattr(llm, "stream", False)),
            "api": "responses" if getattr(llm, "api", "") == "responses" else "chat",
            "class": type(llm).__name__,
            "token_count_preflight": bool(where and where.host == "api.openai.com"),
            "interceptor": getattr(llm, "interceptor", None) is not None,
            **{name: getattr(llm, name) for name in _PARAMETERS if getattr(llm, name, None) is not None},
        },
    )
    return entry, settings


def raw_call_arguments(llm: Any) -> dict[str, Any]:
    """`{"client": ..., "create": ...}`: keyword arguments for openai.OpenAI and its `create`, as crewai passes them."""
    parameters = dict(getattr(llm, "_get_client_params", dict)())
    create = {"model": str(llm.model)}
    create |= {name: getattr(llm, name) for name in _PARAMETERS if getattr(llm, name, None) is not None}
    return {"client": parameters, "create": create}


def _provider(llm: Any, host: str) -> str:
    compatible = type(llm).__module__ != _MODULES[0] or host != "api.openai.com"
    return "openai-compatible" if compatible else "openai"


def _client(llm: Any) -> tuple[Any, bool]:
    """The live client, or one made as crewai would make it (then True)."""
    for name in ("_client", "client"):  # older crewai holds it openly
        live = getattr(llm, name, None)
        if hasattr(live, "max_retries"):
            return live, False
    import openai

    given = {
        "base_url": llm.base_url or llm.api_base or os.getenv(_BASE_URLS[0]) or os.getenv(_BASE_URLS[1]),
        "timeout": llm.timeout,
        "max_retries": llm.max_retries,
        **(llm.client_params or {}),
    }
    given = {name: value for name, value in given.items() if value is not None and name != "http_client"}
    return openai.OpenAI(**{**given, "api_key": STAND_IN}), True


def _settings(llm: Any, client: Any, subject: str, sources: Sources) -> list[Setting]:
    stream = bool(getattr(llm, "stream", False))
    whence = written(llm, "timeout", sources, "openai")
    settings = client_settings.timeouts(subject, getattr(client, "timeout", UNKNOWN), whence, stream=stream)
    retries = getattr(client, "max_retries", None)
    settings.append(
        Setting(
            subject,
            "llm",
            "max_retries",
            retries,
            written(llm, "max_retries", sources, "openai"),
            "by the SDK, beside the first attempt",
        )
    )
    settings.append(stream_setting(llm, subject, sources))
    return settings + _pool(llm, client, subject)


def _refused(llm: Any, client: Any, subject: str, sources: Sources) -> list[Setting]:
    """What crewai puts into every call of the SDK (of `additional_params`) and its signature does not take."""
    responses = getattr(llm, "api", "") == "responses"
    api = client.responses if responses else client.chat.completions
    given = _passed_on(llm, "_prepare_responses_params" if responses else "_prepare_completion_params")
    taken = inspect.signature(api.create).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in taken):
        return []
    known = {each.name for each in taken}
    note = f"no argument of {type(api).__name__}.create"
    return [
        Setting(subject, "llm", f"{REFUSED}{name}", plain(value), sources.of(llm, name), note)
        for name, value in given.items()
        if name not in known
    ]


def _unused_base(llm: Any, base_url: str, subject: str, sources: Sources) -> list[Setting]:
    """`api_base` of an OpenAI-compatible model: the client's address is made of `base_url` alone."""
    written = str(
        getattr(llm, "api_base", None) or (getattr(llm, "additional_params", None) or {}).get("api_base") or ""
    )
    if type(llm).__module__ != _COMPATIBLE or not written or base_url.startswith(written.rstrip("/")):
        return []
    note = "crewai does not read it for this provider, base_url alone"
    return [Setting(subject, "llm", f"{DROPPED}api_base", redact(written), sources.of(llm, "api_base"), note)]


def _passed_on(llm: Any, prepare: str) -> dict[str, Any]:
    """The additional parameters that reach the SDK: crewai is asked to prepare a call; it keeps some for itself."""
    given = dict(getattr(llm, "additional_params", None) or {})
    if not given:
        return {}
    try:
        prepared = getattr(llm, prepare)([{"role": "user", "content": "ok"}])
    except Exception:  # another crewai: what it passes on is then seen in calls alone
        return {}
    return {name: value for name, value in given.items() if name in prepared}


def _pool(llm: Any, client: Any, subject: str) -> list[Setting]:
    intercepted = getattr(llm, "interceptor", None) is not None
    whence = (
        Provenance("python", "interceptor=: crewai builds a plain httpx.Client")
        if intercepted
        else default_of("openai")
    )
    return client_settings.pool(getattr(client, "_client", None), subject, whence)
