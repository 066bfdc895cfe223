"""A model of another provider than OpenAI, named by flags and environment: what stands where crewai's object would.

Each has the attributes `providers/<kind>.py` reads, and a client with what crewai gives it. Sources: crewai 1.15.30,
crewai/llms/providers/{anthropic,gemini,bedrock,azure}/completion.py.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.named_model import NamedModel, first, key_of
from crewdoctor.worker.providers.bedrock import no_metadata

_READ, _ATTEMPTS = 300, {"max_attempts": 3, "mode": "adaptive"}
_AZURE_VERSION = "2024-06-01"


@dataclass(frozen=True)
class _Anthropic(NamedModel):
    max_retries: int = 2  # type: ignore[assignment]  # crewai's own default

    def _get_client_params(self) -> dict[str, Any]:
        return {
            "api_key": self.api_key,
            "base_url": self.base_url,
            "timeout": None,
            "max_retries": self.max_retries,
        }


@dataclass(frozen=True)
class _Gemini(NamedModel):
    @cached_property
    def client(self) -> Any:
        """The SDK's client, as crewai makes it with a key."""
        from google import genai

        return genai.Client(api_key=self.api_key, vertexai=False, http_options={"base_url": self.base_url})


@dataclass(frozen=True)
class _Bedrock(NamedModel):
    region_name: str = ""
    model_id: str = ""

    @cached_property
    def client(self) -> Any:
        """The SDK's client, with crewai's numbers."""
        from boto3.session import Session
        from botocore.config import Config

        config = Config(read_timeout=_READ, retries=dict(_ATTEMPTS), tcp_keepalive=True)
        with no_metadata():
            session = Session(region_name=self.region_name)
            return session.client("bedrock-runtime", config=config, endpoint_url=self.base_url or None)


@dataclass(frozen=True)
class _Azure(NamedModel):
    endpoint: str = ""
    additional_params: dict[str, Any] = field(default_factory=dict)

    def _make_client_kwargs(self) -> dict[str, Any]:
        from azure.core.credentials import AzureKeyCredential

        version = os.environ.get("AZURE_API_VERSION") or _AZURE_VERSION
        return {"endpoint": self.endpoint, "credential": AzureKeyCredential(self.api_key), "api_version": version}

    @staticmethod
    def _prepare_completion_params(messages: list[dict[str, str]]) -> dict[str, Any]:
        return {"messages": messages}


@dataclass(frozen=True, slots=True)
class _Kind:
    package: str
    """What has to be installed, and under which name it is imported."""
    module: str
    build: type[NamedModel]
    base_url: str
    urls: tuple[str, ...]
    keys: tuple[str, ...]


_KINDS = {
    "anthropic": _Kind(
        "anthropic",
        "anthropic",
        _Anthropic,
        "https://api.anthropic.com",
        ("ANTHROPIC_BASE_URL",),
        ("ANTHROPIC_API_KEY",),
    ),
    "gemini": _Kind(
        "google-genai",
        "google.genai",
        _Gemini,
        "https://generativelanguage.googleapis.com/",
        ("GOOGLE_GEMINI_BASE_URL",),
        ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    ),
    "azure": _Kind(
        "azure-ai-inference",
        "azure.ai.inference",
        _Azure,
        "",
        ("AZURE_ENDPOINT", "AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"),
        ("AZURE_API_KEY",),
    ),
    "bedrock": _Kind("boto3", "boto3", _Bedrock, "", ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"), ()),
}


def named_elsewhere(provider: str, name: str, asked: dict[str, str]) -> NamedModel:
    """The model `name` of `anthropic`, `gemini`, `azure` or `bedrock`. Raises TargetDoesNotLoad."""
    kind = _KINDS[provider]
    _installed(provider, kind)
    base_url, whence = asked.get("base_url", ""), "--base-url"
    if not base_url:
        variable, base_url = first(kind.urls)
        whence = f"env {variable}" if base_url else "its provider's default"
    base_url = base_url or kind.base_url
    if provider == "bedrock":
        return _of_bedrock(name, base_url, whence)
    if not base_url:
        raise TargetDoesNotLoad(
            "missing_variable",
            f"there is no endpoint for {name}: AZURE_ENDPOINT is not set",
            "set AZURE_ENDPOINT, or name it with --base-url",
            usage=True,
            variable="AZURE_ENDPOINT",
        )
    variable = asked.get("key_variable") or next((each for each in kind.keys if os.environ.get(each)), kind.keys[0])
    key = key_of(variable, base_url)
    if provider == "azure":
        whole = _deployment(base_url, name)
        return _Azure(name, whole, whence, key, kind=provider, endpoint=whole)
    return kind.build(name, base_url, whence, key, kind=provider)


def _of_bedrock(name: str, base_url: str, whence: str) -> NamedModel:
    region = next((os.environ[each] for each in ("AWS_DEFAULT_REGION", "AWS_REGION_NAME") if os.environ.get(each)), "")
    made = _Bedrock(name, base_url, whence, "", kind="bedrock", region_name=region or "us-east-1", model_id=name)
    held = getattr(made.client._request_signer, "_credentials", None)
    if held is None and not os.environ.get("AWS_BEARER_TOKEN_BEDROCK"):
        raise TargetDoesNotLoad(
            "missing_variable",
            "there is no key for Bedrock: AWS_ACCESS_KEY_ID is not set, and no profile has one",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or AWS_BEARER_TOKEN_BEDROCK",
            usage=True,
            variable="AWS_ACCESS_KEY_ID",
        )
    return _Bedrock(
        name,
        base_url or str(made.client.meta.endpoint_url),
        whence,
        "",
        kind="bedrock",
        region_name=made.region_name,
        model_id=name,
    )


def _deployment(endpoint: str, name: str) -> str:
    """The endpoint as crewai completes it: of Azure's own hosts it names the deployment."""
    from urllib.parse import urlsplit

    host = urlsplit(endpoint).hostname or ""
    if host.endswith(".openai.azure.com") and "/openai/deployments/" not in endpoint:
        return f"{endpoint.rstrip('/')}/openai/deployments/{name}"
    return endpoint


def _installed(provider: str, kind: _Kind) -> None:
    import sys

    try:
        importlib.import_module(kind.module)
    except ImportError as error:
        raise TargetDoesNotLoad(
            "missing_package",
            f"{provider}'s SDK is not installed for {sys.executable}: {error}",
            f"install {kind.package}, or name the interpreter that holds it with --python",
            usage=True,
        ) from None
