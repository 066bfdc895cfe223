"""A model named by flags and environment, resolved as crewai would resolve the same name.

Provider table: crewai 1.15.30, crewai/llms/providers/openai_compatible/completion.py; the default model is crewai's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from crewdoctor.worker.load_failure import TargetDoesNotLoad

DEFAULT_MODEL = "gpt-4.1-mini"
_NAMES = ("MODEL", "MODEL_NAME", "OPENAI_MODEL_NAME")
_BASE_URLS = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
_OPENAI = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class _Provider:
    base_url: str
    key: str
    url_variable: str
    keyless: bool = False


_PROVIDERS = {
    "openrouter": _Provider("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL"),
    "deepseek": _Provider("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL"),
    "ollama": _Provider("http://localhost:11434/v1", "OLLAMA_API_KEY", "OLLAMA_HOST", keyless=True),
    "ollama_chat": _Provider("http://localhost:11434/v1", "OLLAMA_API_KEY", "OLLAMA_HOST", keyless=True),
    "hosted_vllm": _Provider("http://localhost:8000/v1", "VLLM_API_KEY", "VLLM_BASE_URL", keyless=True),
    "cerebras": _Provider("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", "CEREBRAS_BASE_URL"),
    "dashscope": _Provider(
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY", "DASHSCOPE_BASE_URL"
    ),
    "deepinfra": _Provider("https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY", "DEEPINFRA_BASE_URL"),
}
_ELSEWHERE = {
    "anthropic": "anthropic",
    "claude": "anthropic",
    "gemini": "gemini",
    "google": "gemini",
    "bedrock": "bedrock",
    "aws": "bedrock",
    "azure": "azure",
    "azure_openai": "azure",
}
"""Prefixes of models crewai gives to another SDK than OpenAI's, to the file that knows it (`named_others.py`)."""
_FOREIGN = ("vertex_ai", "snowflake", "watsonx", "cohere")
"""Prefixes of models that speak a protocol this version does not."""


@dataclass(frozen=True)
class NamedModel:
    """What stands where crewai's LLM object would: the same attributes, read by the same code."""

    model: str
    base_url: str
    base_url_from: str
    api_key: str
    timeout: None = None
    max_retries: None = None
    client_params: None = None
    interceptor: None = None
    api_base: None = None
    stream: bool = True
    api: str = ""
    additional_params: dict[str, Any] = field(default_factory=dict)
    kind: str = "openai"
    """Whose SDK calls it: a file of `providers/`."""


def named_model(asked: dict[str, str]) -> NamedModel:
    """Resolve `name`, `base_url`, `key_variable`. Raises TargetDoesNotLoad where it is no model we can call."""
    name, provider = _split(asked.get("name") or first(_NAMES)[1] or "")
    if provider in _ELSEWHERE.values():
        from crewdoctor.worker.named_others import named_elsewhere

        return named_elsewhere(provider, name, asked)
    known = _PROVIDERS.get(provider)
    base_url, whence = asked.get("base_url", ""), "--base-url"
    if not base_url:
        variable, base_url = first((known.url_variable,) if known else _BASE_URLS)
        whence = f"env {variable}" if base_url else "its provider's default"
    base_url = base_url or (known.base_url if known else _OPENAI)
    if provider.startswith("ollama"):
        base_url = _ollama(base_url)
    variable = asked.get("key_variable") or (known.key if known else "OPENAI_API_KEY")
    if not name and base_url.rstrip("/") != _OPENAI:
        raise TargetDoesNotLoad(
            "no_such_name", f"no model is named for {base_url}", "name one: --model NAME, or set MODEL", usage=True
        )
    return NamedModel(name or DEFAULT_MODEL, base_url, whence, key_of(variable, base_url, known))


def key_of(variable: str, base_url: str, known: _Provider | None = None) -> str:
    """The key a variable holds; none is needed near by, nor by some. Raises TargetDoesNotLoad."""
    from crewdoctor.worker.hosts import endpoint, is_near

    held = os.environ.get(variable, "").strip()
    where = endpoint(base_url, "llm")
    if held:
        return held
    if (known and known.keyless) or (where and is_near(where.host)):
        return "no-key-needed"
    raise TargetDoesNotLoad(
        "missing_variable",
        f"there is no key for {where.host if where else base_url}: {variable} is not set",
        f"set {variable}, put it into .env here, or name another variable with --key-env",
        usage=True,
        variable=variable,
    )


def _split(name: str) -> tuple[str, str]:
    """A model's bare name and its provider. Raises TargetDoesNotLoad for one that speaks another protocol."""
    prefix, slash, rest = name.partition("/")
    if prefix == "openai" and slash:
        return rest, ""
    if prefix in _PROVIDERS and slash:
        return rest, prefix
    if slash and prefix in _ELSEWHERE:
        return rest, _ELSEWHERE[prefix]
    if name.startswith(("claude-", "gemini-")):
        return name, "anthropic" if name.startswith("claude") else "gemini"
    if slash and prefix in _FOREIGN:
        raise TargetDoesNotLoad(
            "no_such_name",
            f"{name}: this version does not know how to call it without a crew",
            "`crewdoctor settings crew.py` shows what is set for it in a crew",
            usage=True,
        )
    return name, ""


def _ollama(url: str) -> str:
    """OLLAMA_HOST may be a bare host; crewai adds what is missing, `/v1` included."""
    from urllib.parse import urlsplit

    parts = urlsplit(url if "://" in url else f"http://{url}")
    port = "" if parts.port or parts.scheme == "https" else ":11434"
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{port}{path if path.endswith('/v1') else path + '/v1'}"


def first(names: tuple[str, ...]) -> tuple[str, str]:
    """The first of these variables that is set, and its value; empty where none is."""
    return next(((name, os.environ[name]) for name in names if os.environ.get(name)), ("", ""))
