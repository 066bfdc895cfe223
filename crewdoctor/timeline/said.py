"""What libraries said while a program was recorded with `-v`. Pure."""

from __future__ import annotations

from typing import Any

from crewdoctor.model.recording import Recording

MOST = 500
"""Lines a report holds, the last ones; the recording has them all."""


def log_lines(recording: Recording) -> dict[str, Any]:
    """`log_lines`: their `count`, and of the last ones `at logger level text`; empty where nothing was said."""
    held = [event for event in recording.events if event.name == "log.line"]
    names = ("logger", "level", "text")
    lines = [
        {"at": round(event.at, 3), **{name: str(event.attrs.get(name, "")) for name in names}} for event in held[-MOST:]
    ]
    return {"log_lines": {"count": len(held), "lines": lines}} if held else {}
