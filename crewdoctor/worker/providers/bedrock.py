"""Bedrock models: crewai's BedrockCompletion through boto3.

crewai builds the client with numbers of its own (read 300 s, adaptive retries) and hands it nothing of the user's.
Sources: crewai/llms/providers/bedrock/completion.py (1.15.30), botocore 1.43 `config.py`, `retries/standard.py`: a
timeout is repeated like a 5xx.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.setting import UNKNOWN, Provenance, Setting
from crewdoctor.wire.redact import redact
from crewdoctor.worker.client_settings import Variables, learnt, phase_of, stream_setting, unread, where_and_who
from crewdoctor.worker.hosts import endpoint
from crewdoctor.worker.late import when_imported
from crewdoctor.worker.provenance import Sources, default_of, version_of
from crewdoctor.worker.unread_keywords import unread_keywords

SDK = "boto3"
ENVIRONMENT = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "{url}"}
_MODULE = "crewai.llms.providers.bedrock.completion"
_KEYS = ("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_PROFILE")
_VARIABLES = Variables(("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"), _KEYS, "botocore")
_METADATA = "AWS_EC2_METADATA_DISABLED"
_KEPT = ("connect_timeout", "read_timeout", "retries", "max_pool_connections", "tcp_keepalive")
_CREDENTIALS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


def matches(llm: Any) -> bool:
    """Crewai's own class alone: a subclass of the user's may do anything in `call`."""
    return type(llm).__module__ == _MODULE


def describe(llm: Any, subject: str, sources: Sources) -> tuple[LlmEntry, list[Setting]]:
    """Entry and effective settings of the live object."""
    client = _live(llm)
    if client is None:
        with no_metadata():
            client = llm._build_sync_client()
    base_url = str(client.meta.endpoint_url)
    where = endpoint(base_url, "llm")
    for name in _CREDENTIALS:
        learnt(getattr(llm, name, None))
    held = getattr(getattr(client, "_request_signer", None), "_credentials", None)
    key = bool(held) or bool(os.environ.get(_KEYS[0]))
    settings = _settings(llm, client, subject, sources)
    settings += unread(llm, subject, ("timeout", "max_retries", "base_url", "api_base"), sources, SDK)
    settings += unread_keywords(llm, subject, sources, ("timeout", "max_retries", "base_url", "api_base"))
    settings += where_and_who(llm, subject, sources, base_url, "held" if key else "", _VARIABLES)
    entry = LlmEntry(
        subject=subject,
        model=str(llm.model),
        provider="bedrock",
        known=True,
        endpoint=where.subject if where else "",
        users=(subject,),
        usable_key=key,
        attrs={
            "base_url": redact(base_url),
            "stream": bool(getattr(llm, "stream", False)),
            "api": "converse",
            "class": type(llm).__name__,
            "library": "urllib",  # botocore reads the proxies urllib reads
            "key_variable": "AWS_ACCESS_KEY_ID",
            "token_count_preflight": True,
        },
    )
    return entry, settings


def raw_call_arguments(llm: Any) -> dict[str, Any]:
    """`{"sdk", "client", "create"}`: session, config and address of the live client, and the parameters of `converse`.

    Raises ValueError without credentials.
    """
    client = llm._get_sync_client() if hasattr(llm, "_get_sync_client") else llm.client
    held = getattr(client._request_signer, "_credentials", None)
    if held is None and not os.environ.get(_KEYS[0]):
        raise ValueError("AWS credentials are required")
    config = {name: getattr(client.meta.config, name) for name in _KEPT}
    parameters = {
        "session": {**{name: getattr(llm, name, None) for name in _CREDENTIALS}, "region_name": llm.region_name},
        "config": config,
        "endpoint_url": client.meta.endpoint_url,
    }
    limits = dict(getattr(llm, "_get_inference_config", dict)())
    create = {"model": str(llm.model_id), **({"inferenceConfig": limits} if limits else {})}
    most = {"max_tokens": limits["maxTokens"]} if "maxTokens" in limits else {}
    return {"sdk": "boto3", "client": parameters, "create": {**create, **most}}


def rebuilt(live: Any, arguments: dict[str, Any], base_url: str, key: str) -> Any:
    """The same model through its own class, at the embedded endpoint, past the user's proxies and Amazon's sign-in."""
    from boto3.session import Session
    from botocore.config import Config

    given = {name: value for name, value in arguments.items() if name not in {"base_url", "api_base", "api_key"}}
    made = type(live)(**{**given, "aws_access_key_id": key, "aws_secret_access_key": key, "aws_session_token": None})
    held = made._client.meta.config
    config = Config(**{name: getattr(held, name) for name in _KEPT}, proxies={})
    session = Session(aws_access_key_id=key, aws_secret_access_key=key, region_name=made.region_name)
    where = base_url.removesuffix("/v1")
    made._client = session.client("bedrock-runtime", config=config, endpoint_url=where)
    return made


def keep_from_metadata() -> None:
    """From here on, crewai's Bedrock models look for no credentials at the machine's metadata address.

    For a process that makes no call of the crew's own models: building a client without a key would ask there.
    """

    def bound(module: ModuleType) -> None:
        original = module.BedrockCompletion._build_sync_client

        @functools.wraps(original)
        def build(self: Any) -> Any:
            with no_metadata():
                return original(self)

        module.BedrockCompletion._build_sync_client = build

    when_imported(_MODULE, bound)


@contextmanager
def no_metadata() -> Iterator[None]:
    """Within, boto3 does not ask the machine's metadata address for credentials."""
    before = os.environ.get(_METADATA)
    os.environ[_METADATA] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_METADATA]
        else:
            os.environ[_METADATA] = before


def _live(llm: Any) -> Any:
    held = getattr(llm, "_client", None) or getattr(llm, "client", None)
    return held if hasattr(held, "meta") else None


def _settings(llm: Any, client: Any, subject: str, sources: Sources) -> list[Setting]:
    config = client.meta.config
    retries = getattr(config, "retries", None) or {}
    made = retries.get("total_max_attempts")
    crewai = Provenance("default", f"crewai {version_of('crewai')} builds the {SDK} client so")
    names = {"connect": ("connect_timeout", default_of("botocore")), "read": ("read_timeout", crewai)}
    note = "bounds each wait for bytes, per attempt"
    settings = [
        Setting(
            subject,
            "llm",
            f"timeout.{phase}",
            phase_of(getattr(config, held, UNKNOWN), phase),
            whence,
            note if phase == "read" else "",
        )
        for phase, (held, whence) in names.items()
    ]
    again = int(made) - 1 if made else None
    how = f"mode {retries.get('mode', 'legacy')}, after a timeout as well"
    settings.append(Setting(subject, "llm", "max_retries", again, crewai, how))
    pool = getattr(config, "max_pool_connections", None)
    settings.append(Setting(subject, "llm", "pool.max_connections", pool, default_of("botocore")))
    settings.append(stream_setting(llm, subject, sources))
    return settings
