"""The frames a worker sends and the records a recording holds: JSON lines, one record each.

Frame kinds (`"k"`), worker to supervisor, over one private pipe per step. Times (`at`, `start`, `end`) are
`time.monotonic()` of the sender minus the recording's zero, which every worker is given:

| k | fields | meaning |
|---|---|---|
| `begin` | step, at, pid | the step's process runs |
| `open` | id, step, name, start, layer, subject, parent, attrs | a span started |
| `close` | id, end, failure, attrs | it ended; attrs are merged over those of `open` |
| `event` | id, step, name, at, attrs | a moment |
| `stack` | id, step, at, span, waiting, frames, user_frame, thread, seconds, attrs | something is blocked |
| `fact` | step, name, value | a result by name |
| `own` | step, at, text | crewdoctor's own line (a tap that disabled itself) |
| `dropped` | step, at, spans | spans left out so far, by name (`wire/thinning.py`); the last frame counts |
| `move` | step, at | bytes moved within a span; keeps the step alive and is not recorded |
| `end` | step, at, status, reason, failure | the probe returned |

Recording lines add, from the parent: `header`, `inventory`, `plan`, `result` (a StepResult), `simulated`, `last`.
A garbled line is counted, never fatal. Span ids are unique in a recording: `<step number>.<counter>`.
"""

from __future__ import annotations

import json
import math
from typing import Any

LONGEST_LINE = 1 << 23
_DEEPEST = 40
_LONGEST_NUMBER = 1024
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=repr).encode
FORMAT = "crewdoctor.recording/1"
FRAME_KINDS = ("begin", "open", "close", "event", "stack", "fact", "own", "dropped", "move", "end")
RECORD_KINDS = (*FRAME_KINDS, "header", "inventory", "plan", "result", "simulated", "last")


def to_line(record: dict[str, Any]) -> bytes:
    """One JSON line, ASCII, newline included; non-finite numbers and foreign objects become strings."""
    try:
        text = _encode(record)
    except Exception:  # noqa: BLE001 - NaN, a circle, a depth, a repr that raises
        text = _encode(plain(record))
    return text.encode("ascii") + b"\n"


def from_line(line: bytes) -> dict[str, Any] | None:
    """Read one line; None when it is not a frame (garbage, cut off)."""
    try:
        record = _decode(line.decode("utf-8"))
        if not isinstance(record, dict) or record.get("k") not in RECORD_KINDS:
            return None
    except (ValueError, RecursionError, TypeError):
        return None
    return record


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_decode = json.JSONDecoder(parse_constant=_no_constant).decode


def plain(value: Any, depth: int = 0) -> Any:
    """Put what JSON has no form for as text: numbers that are none or endless, circles, depths, foreign objects."""
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, dict):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > _LONGEST_NUMBER:
        return f"a number of {value.bit_length()} bits"
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - an object of the user's: what it raises says nothing about the recording
        return f"<{type(value).__name__}>"
