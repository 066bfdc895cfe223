"""One file per LLM provider: `matches(llm)`, `describe(llm, subject, sources)`, `raw_call_arguments(llm)`.

One whose SDK can be led to the embedded endpoint also has `rebuilt(live, arguments, base_url, key)`, and `ENVIRONMENT`:
what leads models made later there.

A model no file knows is foreign: listed by name, every setting UNKNOWN, never shown as fine.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from types import ModuleType
from typing import Any

from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.setting import UNKNOWN, Provenance, Setting
from crewdoctor.worker.provenance import Sources
from crewdoctor.worker.socks_reason import socks_extra

TIMEOUTS = ("timeout.connect", "timeout.read", "timeout.write", "timeout.pool")


def provider_of(llm: Any) -> ModuleType | None:
    """The file that knows this model, None for a foreign one."""
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        try:
            if module.matches(llm):
                return module
        except Exception:  # noqa: S112 - law 10: a provider that raises knows nothing
            continue
    return None


def embedded_environment(base_url: str) -> dict[str, str]:
    """Variables that lead models made while the crew runs to the embedded endpoint; `base_url` ends in `/v1`."""
    root = base_url.removesuffix("/v1")
    held: dict[str, str] = {}
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        held |= {name: value.replace("{url}", root) for name, value in getattr(module, "ENVIRONMENT", {}).items()}
    return held


def describe(llm: Any, subject: str, sources: Sources) -> tuple[LlmEntry, list[Setting]]:
    """The entry and settings of any model."""
    provider = provider_of(llm)
    if provider is not None:
        try:
            described: tuple[LlmEntry, list[Setting]] = provider.describe(llm, subject, sources)
        except Exception as error:
            entry, settings = foreign(llm, subject, f"{type(error).__name__} while reading it")
            socks = socks_extra(error, None)
            return (replace(entry, attrs={**entry.attrs, "socks_extra": socks.as_fact()}) if socks else entry), settings
        return described
    return foreign(llm, subject)


def foreign(llm: Any, subject: str, why: str = "") -> tuple[LlmEntry, list[Setting]]:
    """A model nobody here can read."""
    kind = f"{type(llm).__module__}.{type(llm).__qualname__}"
    model = str(getattr(llm, "model", None) or getattr(llm, "model_name", None) or type(llm).__name__)
    entry = LlmEntry(
        subject,
        model,
        type(llm).__name__,
        known=False,
        users=(subject,),
        attrs={"class": kind, **({"why": why} if why else {})},
    )
    nobody = Provenance("unknown", f"not readable from {type(llm).__name__}")
    names = (*TIMEOUTS, "max_retries")
    return entry, [Setting(subject, "llm", name, UNKNOWN, nobody) for name in names]
