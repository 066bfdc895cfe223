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
from crewdoctor.model.setting import REFUSED, UNKNOWN, UNLIMITED, Provenance, Seconds, Setting, SettingValue, Timeout
from crewdoctor.wire.redact import learn, redact
from crewdoctor.worker.dropped import plain
from crewdoctor.worker.hosts import endpoint, is_near
from crewdoctor.worker.loader import STAND_IN_KEY
from crewdoctor.worker.provenance import Sources, default_of, was_set

_MODULES = ("crewai.llms.providers.openai.completion", "crewai.llms.providers.openai_compatible.completion")
_STAND_IN = "crewdoctor-stand-in"
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
    finally:
        if made:
            with contextlib.suppress(Exception):
                client.close()
    key = getattr(llm, "api_key", None) or os.environ.get("OPENAI_API_KEY")
    if key:
        learn(str(key))
    settings += _endpoint_settings(llm, subject, sources, base_url, key)
    entry = LlmEntry(
        subject=subject,
        model=str(llm.model),
        provider=_provider(llm, where.host if where else ""),
        known=True,
        endpoint=where.subject if where else "",
        users=(subject,),
        usable_key=usable(str(key or ""), where.host if where else ""),
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


def usable(key: str, host: str) -> bool:
    """Whether a key could work: near hosts take any; elsewhere neither empty nor a template a person must fill in."""
    held = key.strip()
    if not held:
        return False
    if is_near(host):
        return True
    templated = (held.startswith("<") and held.endswith(">")) or held.lower().startswith(("your", "${", "{{"))
    return not templated


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
    return openai.OpenAI(**{**given, "api_key": _STAND_IN}), True


def _settings(llm: Any, client: Any, subject: str, sources: Sources) -> list[Setting]:
    held = getattr(client, "timeout", UNKNOWN)
    whence = _written(llm, "timeout", sources)
    note = (
        "bounds each wait for bytes, not the call" if getattr(llm, "stream", False) else "bounds each wait, per attempt"
    )
    settings = []
    for phase in ("connect", "read", "write", "pool"):
        value = _phase(held, phase)
        told = (
            "also raises connect: a dead host takes as long"
            if phase == "connect" and whence.origin != "default"
            else ""
        )
        settings.append(
            Setting(subject, "llm", f"timeout.{phase}", value, whence, told or (note if phase == "read" else ""))
        )
    retries = getattr(client, "max_retries", None)
    settings.append(
        Setting(
            subject,
            "llm",
            "max_retries",
            retries,
            _written(llm, "max_retries", sources),
            "by the SDK, beside the first attempt",
        )
    )
    settings.append(Setting(subject, "llm", "stream", bool(getattr(llm, "stream", False)), sources.of(llm, "stream")))
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
    pool = getattr(getattr(getattr(client, "_client", None), "_transport", None), "_pool", None)
    if pool is None:
        return []
    intercepted = getattr(llm, "interceptor", None) is not None
    whence = (
        Provenance("python", "interceptor=: crewai builds a plain httpx.Client")
        if intercepted
        else default_of("openai")
    )
    names = {
        "pool.max_connections": "_max_connections",
        "pool.max_keepalive_connections": "_max_keepalive_connections",
        "pool.keepalive_expiry": "_keepalive_expiry",
    }
    found: list[tuple[str, SettingValue]] = [(name, getattr(pool, held, None)) for name, held in names.items()]
    return [Setting(subject, "llm", name, value, whence) for name, value in found]


def _phase(held: Any, phase: str) -> Timeout:
    if held is None:
        return UNLIMITED
    if isinstance(held, (int, float)):
        return Seconds(float(held))
    if not hasattr(held, phase):
        return UNKNOWN
    value = getattr(held, phase)
    return UNLIMITED if value is None else Seconds(float(value))


def _written(llm: Any, name: str, sources: Sources) -> Provenance:
    """`LLM(timeout=...)`, or the same within `client_params`, else the SDK's default."""
    if name in (getattr(llm, "client_params", None) or {}):
        return sources.of(llm, "client_params")
    held = getattr(llm, name, None)
    if held is not None and was_set(llm, name, sources.constructions.of(llm)):
        return sources.of(llm, name)
    return default_of("openai")


def _endpoint_settings(llm: Any, subject: str, sources: Sources, base_url: str, key: Any) -> list[Setting]:
    variable = sources.of_variable(*_BASE_URLS) if type(llm).__module__ == _MODULES[0] else None
    built = sources.constructions.of(llm)
    written = next((name for name in ("base_url", "api_base") if built and name in built.keywords), "")
    whence = sources.of(llm, written) if written else variable or default_of("openai")
    key_from = (
        sources.of(llm, "api_key") if built and "api_key" in built.keywords else sources.of_variable("OPENAI_API_KEY")
    )
    key = "" if key == STAND_IN_KEY else key
    nowhere = Provenance("default", "not set")
    return [
        Setting(subject, "llm", "base_url", redact(base_url), whence),
        Setting(subject, "llm", "api_key", bool(key), (key_from if key else None) or nowhere, "presence only"),
    ]
