"""Run by test_rebuilding.py in a process of its own: models built while watched, built again, and what each holds."""

import json
import os
import sys

os.environ.update(
    CREWAI_DISABLE_TELEMETRY="true",
    CREWAI_TRACING_ENABLED="false",
    CREWAI_DISABLE_VERSION_CHECK="true",
    AWS_EC2_METADATA_DISABLED="true",
)

import httpx
from crewai import LLM
from google.genai.types import HttpOptions

from crewdoctor.model.probe import CannotProbe
from crewdoctor.worker.construction import watched
from crewdoctor.worker.rebuilding import rebuilt

GPT, KEY = "openai/gpt-4.1-mini", {"api_key": "of-nobody"}
AWS = {"aws_access_key_id": "of-nobody", "aws_secret_access_key": "of-nobody", "region_name": "us-east-1"}
BEDROCK = "bedrock/anthropic.claude-3-5-sonnet-20241022-v2:0"


def models():
    azure = {"endpoint": "https://of-nobody.openai.azure.com/openai/deployments/gpt-4o", **KEY}
    changed = LLM(GPT, timeout=30, **KEY)
    changed._client = changed._client.with_options(timeout=7)
    options = {"http_options": HttpOptions(timeout=45_000)}
    return {
        "bare": LLM(GPT, **KEY),
        "timeout": LLM(GPT, timeout=30, max_retries=5, temperature=0.5, **KEY),
        "text": LLM(GPT, timeout="30", **KEY),
        "short": LLM(GPT, timeout=0.5, **KEY),
        "phases": LLM(GPT, client_params={"timeout": httpx.Timeout(20, connect=4, pool=None)}, **KEY),
        "endless": LLM(GPT, client_params={"timeout": None}, **KEY),
        "anthropic": LLM("anthropic/claude-sonnet-4-5", timeout=60, **KEY),
        "gemini": LLM("gemini/gemini-2.5-flash", timeout=30, **KEY),
        "gemini options": LLM("gemini/gemini-2.5-flash", client_params=options, **KEY),
        "azure": LLM("azure/gpt-4o", timeout=30, **azure),
        "azure responses": LLM("azure/gpt-4o", timeout=30, api="responses", **azure),
        "bedrock": LLM(BEDROCK, timeout=30, **AWS),
        "changed": changed,
    }


def client_of(model):
    delegate = getattr(model, "_responses_delegate", None)
    return (delegate or model)._client


def timeout_of(model):
    client = client_of(model)
    if hasattr(client, "_api_client"):
        return client._api_client._http_options.timeout
    if hasattr(client, "meta"):
        return client.meta.config.read_timeout
    if hasattr(client, "_client") and hasattr(client._client, "_pipeline"):
        return client._client._pipeline._transport.connection_config.read_timeout
    held = client.timeout
    return [held.connect, held.read, held.write, held.pool] if isinstance(held, httpx.Timeout) else held


early = LLM(GPT, timeout=30, **KEY)
with watched() as constructions:
    held = models()
told = {}
for name, live in {**held, "early": early}.items():
    try:
        made = rebuilt(live, constructions, 1.0)
    except CannotProbe as reason:
        told[name] = {"why": str(reason)}
        continue
    told[name] = {
        "written": made.written,
        "before": timeout_of(live),
        "after": timeout_of(made.model),
        "class": type(made.model) is type(live),
        "shares": client_of(made.model) is client_of(live),
        "kept": [getattr(made.model, each, None) for each in ("max_retries", "temperature", "model")]
        == [getattr(live, each, None) for each in ("max_retries", "temperature", "model")],
    }
sys.stdout.write("\n@@" + json.dumps(told))
