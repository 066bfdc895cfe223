"""Endpoints beside models and tools: MCP servers, and the embedders of memory and knowledge."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from crewdoctor.model.inventory import Endpoint, Unexamined
from crewdoctor.worker.hosts import endpoint
from crewdoctor.worker.parts import Parts

Found = Iterator[Endpoint | Unexamined]
_OPENAI = "https://api.openai.com/v1"
_OLLAMA = "http://localhost:11434"
_LOCAL = ("onnx", "sentence-transformer", "huggingface-local", "text2vec", "instructor", "openclip")


def side_endpoints(parts: Parts) -> Found:
    """MCP servers, memory and knowledge, in that order."""
    for subject, agent in parts.agents.items():
        for reference in getattr(agent, "mcps", None) or ():
            yield from _mcp(subject, reference)
        for app in getattr(agent, "apps", None) or ():
            yield Unexamined(f"{subject}/app", f"platform app {app}: its tools come from crewai's platform at run time")
        if getattr(agent, "a2a", None):
            yield Unexamined(
                f"{subject}/a2a", "delegates to remote agents (A2A), which this version does not look into"
            )
    yield from _stores("crew", parts.crew)
    for subject, agent in parts.agents.items():
        yield from _stores(subject, agent, fallback=getattr(parts.crew, "embedder", None))


def _mcp(subject: str, reference: Any) -> Found:
    url = reference if isinstance(reference, str) else getattr(reference, "url", None)
    if not url or "://" not in str(url):
        what = f"`{getattr(reference, 'command', reference)}`"
        yield Unexamined(f"{subject}/mcp", f"MCP server {what}: its tools are listed when the crew runs, not before")
        return
    bare = str(url).partition("#")[0]
    found = endpoint(bare, "mcp", used_by=(subject,), clients=("httpx",), source="mcps")
    if found is not None:
        yield found
    yield Unexamined(f"{subject}/mcp", f"MCP server {bare.partition('?')[0]}: its tools are listed when the crew runs")


def _stores(subject: str, owner: Any, fallback: Any = None) -> Found:
    for name, held in (("memory", _memory(owner)), ("knowledge", getattr(owner, "knowledge_sources", None))):
        if not held:
            continue
        embedder = getattr(held, "embedder", None) or getattr(owner, "embedder", None) or fallback
        yield from _embedder(f"{subject}/{name}", embedder)
        if name == "memory":
            model = getattr(held, "llm", None)
            said = f" ({getattr(model, 'model', model)})" if model else ""
            yield Unexamined(f"{subject}/memory", f"the model that analyses what is remembered{said} is not examined")


def _memory(owner: Any) -> Any:
    held = getattr(owner, "memory", None)
    return getattr(owner, "_memory", None) or held if held else None


def _embedder(subject: str, embedder: Any) -> Found:
    """crewai/rag/embeddings: OpenAI by default, its base from EMBEDDINGS_OPENAI_API_BASE or OPENAI_API_BASE."""
    if embedder is not None and not isinstance(embedder, dict):
        # An embedding function of chromadb's: the SDK client within says where it connects.
        live = getattr(embedder, "_client", None) or getattr(embedder, "client", None)
        held = getattr(live, "base_url", None) or getattr(embedder, "_session_url", None)
        found = (
            endpoint(str(held), "memory", used_by=(subject,), clients=("httpx",), source="embedder") if held else None
        )
        if found is not None:
            yield found
        else:
            yield Unexamined(subject, f"embedder of class {type(embedder).__name__}: where it connects is not known")
        return
    provider = str((embedder or {}).get("provider", "openai"))
    config = (embedder or {}).get("config") or {}
    url = next((str(config[name]) for name in ("api_base", "base_url", "url") if config.get(name)), "")
    if provider == "openai":
        names = ("EMBEDDINGS_OPENAI_API_BASE", "OPENAI_API_BASE")
        url = url or next((os.environ[name] for name in names if os.environ.get(name)), _OPENAI)
    elif provider == "ollama":
        url = url or os.environ.get("EMBEDDINGS_OLLAMA_URL") or _OLLAMA
    if provider in _LOCAL:
        return
    found = endpoint(url, "memory", used_by=(subject,), clients=("httpx",), source="embedder") if url else None
    if found is not None:
        yield found
    if provider != "openai":
        yield Unexamined(subject, f"embedder `{provider}`: its timeouts are not read")
