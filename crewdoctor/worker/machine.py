"""Facts about the machine and the process the crew will run in."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from crewdoctor.model.inventory import Endpoint
from crewdoctor.wire.redact import redact
from crewdoctor.worker.hosts import endpoint
from crewdoctor.worker.provenance import version_of
from crewdoctor.worker.unquieted import unquieted

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_TRUST = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
)
_RATE_LIMIT_ATTEMPTS = 3
"""crewai 1.15.30."""
_PACKAGES = (
    *("crewai", "crewai-tools", "openai", "anthropic", "google-genai", "litellm", "boto3", "azure-ai-inference"),
    *("httpx", "httpcore", "httpx2", "requests", "urllib3", "aiohttp", "certifi", "pydantic", "mcp", "chromadb"),
    *("redis", "psycopg", "pymongo", "sqlalchemy"),
)


def environment_facts() -> dict[str, Any]:
    """CPUs, load, cgroup limits, terminal, proxy and trust variables (credentials redacted), default pool size."""
    cpus = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cpus
    return {
        "cpus": usable,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
        "tty": os.isatty(1),  # not sys.stdout: the target may have closed it
        "platform": sys.platform,
        "cgroup": cgroup_limits(),
        "default_executor": min(32, cpus + 4),
        "proxies": {name: redact(value) for name, value in _variables(_PROXIES)},
        "trust": dict(_variables(_TRUST)),
        **unquieted(),
    }


def rate_limit_attempts() -> int:
    """How often the installed crewai itself tries a call told to slow down: once before it had a retry of its own."""
    try:
        retry = importlib.import_module("crewai.llms.retry")
    except ImportError:
        return 1
    held = getattr(retry, "_LLM_RATE_LIMIT_MAX_ATTEMPTS", None)
    return held if isinstance(held, int) else _RATE_LIMIT_ATTEMPTS


def counts_tokens() -> bool:
    """Whether the installed crewai has the tokens of a call counted by the provider before it is made."""
    try:
        module = importlib.import_module("crewai.utilities.agent_utils")
        base = importlib.import_module("crewai.llms.base_llm").BaseLLM
    except (ImportError, AttributeError):
        return False
    return hasattr(module, "_proactively_summarize_context") and hasattr(base, "get_input_tokens_count")


def versions() -> dict[str, str]:
    """Installed versions of what a crew's calls go through."""
    return {name: held for name in _PACKAGES if (held := version_of(name))}


def proxies() -> list[Endpoint]:
    """Proxies named by the environment. `REQUEST_METHOD` marks a CGI process, where HTTP_PROXY is ignored."""
    found: list[Endpoint] = []
    for name, value in _variables(_PROXIES[:3]):
        if name == "HTTP_PROXY" and os.environ.get("REQUEST_METHOD"):
            continue
        each = endpoint(value, "proxy", clients=("httpx", "requests", "urllib"), source=f"env {name}")
        if each is not None:
            found.append(each)
    return found


def _variables(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Set variables, as written in the environment: lower case first, as every client reads them."""
    spelled = [spelling for name in names for spelling in dict.fromkeys((name.lower(), name))]
    return [(name, os.environ[name]) for name in spelled if os.environ.get(name)]


def cgroup_limits() -> dict[str, float]:
    """`cpu` (cores) and `memory` (bytes) where cgroup v2 limits them."""
    found: dict[str, float] = {}
    root = Path("/sys/fs/cgroup")
    for name, file in (("cpu", "cpu.max"), ("memory", "memory.max")):
        try:
            words = (root / file).read_text("ascii").split()
        except (OSError, ValueError):
            continue
        if words and words[0].isdigit():
            divisor = float(words[1]) if name == "cpu" and len(words) > 1 else 1.0
            found[name] = float(words[0]) / divisor
    return found
