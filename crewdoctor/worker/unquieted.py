"""What the target's own process would do that this one is kept from: telemetry, and the question about traces."""

from __future__ import annotations

import importlib
import json
import os
from contextlib import suppress
from typing import Any

_BEFORE = "CREWDOCTOR_BEFORE"
"""Set by the supervisor, which also sets what is named in it."""
_SWITCHES = ("OTEL_SDK_DISABLED", "CREWAI_DISABLE_TELEMETRY", "CREWAI_DISABLE_TRACKING")
_YES = frozenset({"true", "1", "yes", "on"})


def unquieted() -> dict[str, Any]:
    """`telemetry_off` (the variable that switches it off, or empty), `tracing`, `terminal`, `trace_prompt`."""
    try:
        before = json.loads(os.environ.get(_BEFORE) or "{}")
    except ValueError:
        before = {}
    quiet = before.get("quiet") or {}

    def value(name: str) -> str:
        held = os.environ.get(name, "")
        ours, theirs = quiet.get(name) or (None, None)
        return str(theirs or "") if held == ours else held

    terminal = bool(before["tty"]) if "tty" in before else os.isatty(0) and os.isatty(1)
    tracing = value("CREWAI_TRACING_ENABLED").lower()
    silenced = tracing in {"true", "1", "false", "0"} or os.environ.get("CREWAI_TESTING", "").lower() == "true"
    return {
        "telemetry_off": next((name for name in _SWITCHES if value(name).strip().lower() in _YES), ""),
        "tracing": tracing,
        "terminal": terminal,
        "trace_prompt": terminal and not silenced and _first_execution(),
    }


def _first_execution() -> bool:
    """Whether crewai has never been asked here; False where it cannot say."""
    with suppress(Exception):
        held = importlib.import_module("crewai.events.listeners.tracing.utils")
        return bool(held.is_first_execution()) and not held.has_user_declined_tracing()
    return False
