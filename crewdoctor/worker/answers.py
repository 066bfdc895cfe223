"""What a tool's answer says about the call: an error told in words, which raised nothing."""

from __future__ import annotations

import json
import re
from typing import Any

LONGEST = 300
_OPENING = re.compile(
    r"""\s*["'`*\[(]{0,3}\s*
    (?: (?:an?\s+)?(?:unexpected\s+|internal\s+)?(?:error|exception)
        (?: \s*[]:!([\u2014] | \s+-\s | \s+\d{3}\b | \s+(?:occurred|while|during|when|from|in)\b
          | \s+(?!handling)\w+ing\b )
      | (?:\w*Error|\w*Exception|Traceback\s\(most\srecent\scall\slast\))\s*[:(]
      | failed\s+to\s
      | request\s+(?:failed|timed\s+out)\b
    )""",
    re.IGNORECASE | re.VERBOSE,
)
"""How tools begin when they hand an error to the model: `Error: …`, `Error executing tool: …` (crewai's wrapper),
`An error occurred`, `SomeError(…)`, `Failed to …`. Only the beginning counts: a text about errors is an answer."""


def error_in(output: Any) -> str:
    """Return the error a tool returned as its answer, shortened; empty when the answer is one.

    Conservative: crewai's ToolFailure, an opening word of the list above, or a JSON object whose `error` is set.
    """
    if type(output).__name__ == "ToolFailure":
        return _short(str(getattr(output, "message", "") or output))
    if isinstance(output, BaseException):
        return _short(f"{type(output).__name__}: {output}")
    if isinstance(output, dict):
        return _of_object(output)
    if not isinstance(output, str):
        return ""
    text = output
    if text.lstrip()[:1] == "{":
        try:
            held = json.loads(text)
        except ValueError:
            held = None
        if isinstance(held, dict):
            return _of_object(held)
    return _short(text) if _OPENING.match(text[:LONGEST]) else ""


def _of_object(held: dict[Any, Any]) -> str:
    error = held.get("error")
    if not error or isinstance(error, bool) or str(error).lower() in {"none", "null", "false", "0"}:
        return ""
    inner = error.get("message") if isinstance(error, dict) else error
    return _short(str(inner or error))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
