"""The report as JSON, `crewdoctor.report/1`: for programs; its schema ships beside `wire/schema.py`."""

from __future__ import annotations

import json
from typing import Any

from crewdoctor.model.report import Report
from crewdoctor.wire.codec import encode

FORMAT = "json"
SUFFIXES = "json"
_DECIMALS = 6
"""Microseconds: below that a figure is noise."""


def render(report: Report) -> str:
    """Return one ASCII JSON document; keys in the order of the model."""
    return json.dumps(_rounded(encode(report)), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DECIMALS) if abs(value) < float("inf") else str(value)
    if isinstance(value, dict):
        return {key: _rounded(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_rounded(held) for held in value]
    return value
