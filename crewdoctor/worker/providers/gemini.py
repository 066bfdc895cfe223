"""Gemini models: crewai's GeminiCompletion, with an API key or on Vertex AI.

The live `google.genai.Client` is read. crewai has no field for `timeout` or `max_retries`, and the SDK, told nothing,
sends every request without a limit. Sources: crewai/llms/providers/gemini/completion.py (1.15.30), google-genai 1.65.0
`_api_client.py` (milliseconds; a timeout of 0 is none; retries on a status alone).
"""

from __future__ import annotations

import os
from typing import Any

from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.setting import DROPPED, UNLIMITED, Provenance, Seconds, Setting, Timeout
from crewdoctor.wire.redact import redact
from crewdoctor.worker import client_settings
from crewdoctor.worker.client_settings import STAND_IN, Variables, learnt, stream_setting, unread, usable, where_and_who
from crewdoctor.worker.hosts import endpoint
from crewdoctor.worker.provenance import Sources, default_of, version_of
from crewdoctor.worker.unread_keywords import unread_keywords

SDK = "google-genai"
ENVIRONMENT = {"GOOGLE_GEMINI_BASE_URL": "{url}", "GOOGLE_API_KEY": "crewdoctor-simulated"}
_MODULE = "crewai.llms.providers.gemini.completion"
_KEYS = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
_VARIABLES = Variables(("GOOGLE_GEMINI_BASE_URL",), _KEYS, SDK)
_PARAMETERS = ("temperature", "top_p", "top_k", "max_output_tokens", "thinking_config")
_IGNORED = ("timeout", "max_retries", "base_url", "api_base")
_KEPT = ("base_url", "api_version", "timeout", "retry_options", "client_args", "async_client_args")


def matches(llm: Any) -> bool:
    """Crewai's own class alone: a subclass of the user's may do anything in `call`."""
    return type(llm).__module__ == _MODULE


def describe(llm: Any, subject: str, sources: Sources) -> tuple[LlmEntry, list[Setting]]:
    """Entry and effective settings of the live object."""
    api = _api(llm)
    options = api._http_options
    vertex = bool(getattr(api, "vertexai", False))
    base_url = str(options.base_url or "")
    where = endpoint(base_url, "llm")
    settings = _settings(llm, options, subject, sources)
    settings += client_settings.pool(getattr(api, "_httpx_client", None), subject, default_of("httpx"))
    settings += unread(llm, subject, _IGNORED, sources, SDK)
    settings += unread_keywords(llm, subject, sources, _IGNORED)
    key = learnt(
        getattr(llm, "api_key", None) or next((os.environ[each] for each in _KEYS if os.environ.get(each)), "")
    )
    settings += where_and_who(llm, subject, sources, base_url, key, _VARIABLES)
    with_key = bool(key) or not vertex  # on Vertex AI the credentials are Google's to find
    entry = LlmEntry(
        subject=subject,
        model=str(llm.model),
        provider="gemini",
        known=True,
        endpoint=where.subject if where else "",
        users=(subject,),
        usable_key=usable(key, where.host if where else "") if with_key else None,
        attrs={
            "base_url": redact(base_url),
            "stream": bool(getattr(llm, "stream", False)),
            "api": "generateContent",
            "class": type(llm).__name__,
            "library": "httpx",
            "key_variable": _KEYS[0],
            "token_count_preflight": vertex,
        },
    )
    return entry, settings


def raw_call_arguments(llm: Any) -> dict[str, Any]:
    """`{"sdk", "client", "create"}`: keyword arguments for genai.Client and `generate_content`, read from the live one.

    Raises ValueError without a key.
    """
    client = llm._get_sync_client() if hasattr(llm, "_get_sync_client") else llm.client
    api = client._api_client
    held = {name: getattr(api._http_options, name, None) for name in _KEPT}
    parameters = {"vertexai": bool(api.vertexai), "api_key": api.api_key, "http_options": held}
    if api.vertexai and not api.api_key:
        parameters |= {"project": api.project, "location": api.location}
    create = {"model": str(llm.model)}
    create |= {name: getattr(llm, name) for name in _PARAMETERS if getattr(llm, name, None) is not None}
    return {"sdk": "google.genai", "client": parameters, "create": create}


def rebuilt(live: Any, arguments: dict[str, Any], base_url: str, key: str) -> Any:
    """The same model through its own class, at the embedded endpoint, past the user's proxies and Google's sign-in."""
    from google.genai import types

    options = _api(live)._http_options
    given = {**arguments, "api_key": key, "use_vertexai": False, "project": None}
    given.pop("base_url", None)
    given["client_params"] = {
        "http_options": types.HttpOptions(
            base_url=base_url.removesuffix("/v1"),
            timeout=options.timeout,
            retry_options=options.retry_options,
            client_args={"trust_env": False},
            async_client_args={"trust_env": False},
        )
    }
    return type(live)(**given)


def _api(llm: Any) -> Any:
    """The API client of the live client, or of one made as crewai would make it with a key."""
    live = getattr(llm, "_client", None) or getattr(llm, "client", None)
    if live is None:
        from google import genai

        live = genai.Client(**{**dict(llm.client_params or {}), "vertexai": False, "api_key": STAND_IN})
    return live._api_client


def _settings(llm: Any, options: Any, subject: str, sources: Sources) -> list[Setting]:
    held = getattr(options, "timeout", None)
    limited = isinstance(held, (int, float)) and bool(held)
    value: Timeout = Seconds(float(held or 0) / 1000) if limited else UNLIMITED
    nobody = Provenance("default", f"{SDK} {version_of(SDK)} sends no timeout")
    whence = sources.of(llm, "client_params") if limited else nobody
    note = "one number for every phase, per attempt"
    settings = [
        Setting(subject, "llm", f"timeout.{phase}", value, whence, note if phase == "read" else "")
        for phase in client_settings.PHASES
    ]
    wanted = dict(llm.client_params or {}).get("http_options")
    lost = wanted.get("timeout") if isinstance(wanted, dict) else getattr(wanted, "timeout", None)
    if lost and not limited:  # Vertex AI with a key: crewai puts options of its own in their place
        note = "crewai replaces http_options where a key and Vertex AI meet"
        said = sources.of(llm, "client_params")
        settings.append(Setting(subject, "llm", f"{DROPPED}timeout", lost / 1000, said, note))
    retries = getattr(options, "retry_options", None)
    made = max(0, int(getattr(retries, "attempts", None) or 5) - 1) if retries is not None else 0
    of_retries = sources.of(llm, "client_params") if retries is not None else default_of(SDK)
    settings.append(Setting(subject, "llm", "max_retries", made, of_retries, "on 408, 429 and 5xx"))
    settings.append(Setting(subject, "llm", "max_retries.read", 0, default_of(SDK), "after a timeout"))
    settings.append(stream_setting(llm, subject, sources))
    return settings
