"""Azure models: crewai's AzureCompletion, its chat (azure-ai-inference) and its Responses API (through the openai SDK).

crewai stores `timeout` and `max_retries` and hands neither to the chat client, which keeps azure-core's own; the
Responses API is given both. Sources: crewai/llms/providers/azure/completion.py (1.15.30), azure-core 1.41
`_retry.py` (a POST is repeated on a status alone), `_requests_basic.py`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.setting import UNKNOWN, Setting
from crewdoctor.net.clients.httpx_family import direct_async_client, direct_client
from crewdoctor.wire.redact import redact
from crewdoctor.worker.client_settings import (
    STAND_IN,
    Variables,
    learnt,
    phase_of,
    stream_setting,
    unread,
    usable,
    where_and_who,
    written,
)
from crewdoctor.worker.hosts import endpoint
from crewdoctor.worker.provenance import Sources, default_of
from crewdoctor.worker.providers import openai as of_openai
from crewdoctor.worker.unread_keywords import unread_keywords

SDK, CORE = "azure-ai-inference", "azure-core"
ENVIRONMENT = {"AZURE_ENDPOINT": "{url}", "AZURE_API_KEY": "crewdoctor-simulated"}
_MODULE = "crewai.llms.providers.azure.completion"
_VARIABLES = Variables(("AZURE_ENDPOINT", "AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"), ("AZURE_API_KEY",), SDK)
_NOWHERE = "https://endpoint-is-not-set.invalid"


def matches(llm: Any) -> bool:
    """Crewai's own class alone: a subclass of the user's may do anything in `call`."""
    return type(llm).__module__ == _MODULE


def describe(llm: Any, subject: str, sources: Sources) -> tuple[LlmEntry, list[Setting]]:
    """Entry and effective settings of the live object."""
    key = learnt(getattr(llm, "api_key", None) or os.environ.get("AZURE_API_KEY"))
    delegate = getattr(llm, "_responses_delegate", None)
    if delegate is not None:
        return _responses(llm, delegate, subject, sources, key)
    base_url = str(llm.endpoint or "")
    where = endpoint(base_url, "llm") if base_url else None
    settings = _settings(llm, subject, sources)
    settings += unread(llm, subject, ("timeout", "max_retries", "base_url", "api_base"), sources, SDK)
    settings += unread_keywords(llm, subject, sources, ("timeout", "max_retries", "base_url", "api_base"))
    settings += where_and_who(llm, subject, sources, base_url, key, _VARIABLES)
    entry = LlmEntry(
        subject=subject,
        model=str(llm.model),
        provider="azure",
        known=True,
        endpoint=where.subject if where else "",
        users=(subject,),
        # Without a key crewai leaves it to azure-identity to find credentials.
        usable_key=usable(key, where.host) if where and key else False if not where or not _identity() else None,
        attrs={
            "base_url": redact(base_url),
            "stream": bool(getattr(llm, "stream", False)),
            "api": "chat",
            "class": type(llm).__name__,
            "library": "requests",
            "key_variable": "AZURE_API_KEY",
            "token_count_preflight": False,
        },
    )
    return entry, settings


def raw_call_arguments(llm: Any) -> dict[str, Any]:
    """`{"sdk", "client", "create"}`: keyword arguments for ChatCompletionsClient and `complete`, as crewai's.

    Raises ValueError without an endpoint or key.
    """
    delegate = getattr(llm, "_responses_delegate", None)
    if delegate is not None:
        return {**of_openai.raw_call_arguments(delegate), "api": "responses"}
    client = llm._make_client_kwargs()
    create = dict(llm._prepare_completion_params([{"role": "user", "content": "ok"}]))
    for name in ("messages", "stream", "tools", "tool_choice", "response_format", "model_extras"):
        create.pop(name, None)
    return {"sdk": "azure.ai.inference", "client": client, "create": {"model": str(llm.model), **create}}


def rebuilt(live: Any, arguments: dict[str, Any], base_url: str, key: str) -> Any:
    """The same model through its own class, at the embedded endpoint, past the user's proxies and Azure's sign-in."""
    given = {name: value for name, value in arguments.items() if name not in {"base_url", "api_base"}}
    made = type(live)(**{**given, "endpoint": base_url.removesuffix("/v1"), "api_key": key})
    delegate = getattr(made, "_responses_delegate", None)
    if delegate is not None:
        import openai

        parameters = delegate._get_client_params()
        delegate._client = openai.OpenAI(**parameters, http_client=direct_client("openai"))
        delegate._async_client = openai.AsyncOpenAI(**parameters, http_client=direct_async_client("openai"))
        return made
    from azure.ai.inference import ChatCompletionsClient
    from azure.ai.inference.aio import ChatCompletionsClient as AsyncChatCompletionsClient

    direct = {**made._make_client_kwargs(), "use_env_settings": False}
    made._client = ChatCompletionsClient(**direct)
    made._async_client = AsyncChatCompletionsClient(**direct)
    return made


def _identity() -> bool:
    import importlib.util

    return importlib.util.find_spec("azure") is not None and importlib.util.find_spec("azure.identity") is not None


def _responses(llm: Any, delegate: Any, subject: str, sources: Sources, key: str) -> tuple[LlmEntry, list[Setting]]:
    """The openai SDK does the work; what was written was written on the outer object."""
    entry, settings = of_openai.describe(delegate, subject, sources)
    limits = {"max_retries": "max_retries"}
    outer = [
        replace(each, provenance=written(llm, limits.get(each.name, "timeout"), sources, "openai"))
        if each.name.startswith("timeout.") or each.name in limits
        else each
        for each in settings
        if each.name not in {"base_url", "api_key", "stream"}
    ]
    base_url = str(entry.attrs["base_url"])
    outer += [stream_setting(llm, subject, sources), *where_and_who(llm, subject, sources, base_url, key, _VARIABLES)]
    attrs = {**entry.attrs, "class": type(llm).__name__, "key_variable": "AZURE_API_KEY"}
    return replace(entry, provider="azure-responses", attrs=attrs), outer


def _client(llm: Any) -> Any:
    """The live client, or one made as crewai would make it with a key and an endpoint."""
    live = getattr(llm, "_client", None) or getattr(llm, "client", None)
    if live is not None:
        return live
    from azure.ai.inference import ChatCompletionsClient
    from azure.core.credentials import AzureKeyCredential

    return ChatCompletionsClient(str(llm.endpoint or _NOWHERE), AzureKeyCredential(STAND_IN))


def _settings(llm: Any, subject: str, sources: Sources) -> list[Setting]:
    client = _client(llm)
    held = getattr(client._client._pipeline._transport, "connection_config", None)
    retry = getattr(client._config, "retry_policy", None)
    whence = default_of(CORE)
    read = phase_of(getattr(held, "read_timeout", None), "read") if held is not None else UNKNOWN
    connect = phase_of(getattr(held, "timeout", None), "connect") if held is not None else UNKNOWN
    again = min(getattr(retry, "total_retries", 0), getattr(retry, "status_retries", 0))
    return [
        Setting(subject, "llm", "timeout.connect", connect, whence),
        Setting(subject, "llm", "timeout.read", read, whence, "bounds each wait for bytes, not the call"),
        Setting(subject, "llm", "max_retries", again, whence, "on 500, 503, 504, and wherever Retry-After is sent"),
        Setting(subject, "llm", "max_retries.read", 0, whence, "a POST is not repeated after a timeout"),
        stream_setting(llm, subject, sources),
    ]
