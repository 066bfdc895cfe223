"""The formats a report can take: found by file, and not imported before one is rendered.

A format is one file in this folder: a line `FORMAT = "name"`, and `render(report) -> str`. It may also say

- `SUFFIXES = "md markdown"`: files that are meant for it when no `--format` is given; the longest that fits counts;
- `APPENDED = "VARIABLE name"`: where the environment's VARIABLE names a file, the format `name` is appended to it.

What `render` cannot know it asks for by keyword: `width`, `color`, `plain`, `verbosity`, `workspace`,
`recording` (what the report was made from).
"""

from __future__ import annotations

import importlib
import inspect
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from crewdoctor.model.report import Report

DEFAULT = "rich"
_DECLARED = re.compile(r'^(FORMAT|SUFFIXES|APPENDED) = "([^"\n]+)"$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Format:
    """What a format's file declares, read from its source."""

    name: str
    module: str
    suffixes: tuple[str, ...] = ()
    appended: tuple[tuple[str, str], ...] = ()
    """Variable of the environment to the format its file is continued with."""


@cache
def formats() -> dict[str, Format]:
    """Every format by name, the default first."""
    found = [each for path in Path(__file__).parent.glob("*.py") if (each := _read(path)) is not None]
    return {each.name: each for each in sorted(found, key=lambda each: (each.name != DEFAULT, each.name))}


def of_file(name: str) -> str | None:
    """The format a file is meant for by its name: `crewdoctor.md`, `report.trace.json`, `trace.json`."""
    ends = {suffix: each.name for each in formats().values() for suffix in {each.name, *each.suffixes}}
    fitting = [suffix for suffix in ends if f".{name.lower()}".endswith(f".{suffix}")]
    return ends[max(fitting, key=len)] if fitting and "." in name else None


def asked(name: str) -> frozenset[str]:
    """What the format `name` asks for beside the report."""
    return frozenset(inspect.signature(importlib.import_module(formats()[name].module).render).parameters)


def render(report: Report, name: str, **known: Any) -> str:
    """Render `report` in the format `name`; of what is `known`, it is given what it asks for."""
    function = importlib.import_module(formats()[name].module).render
    return str(function(report, **{key: value for key, value in known.items() if key in asked(name)}))


def _read(path: Path) -> Format | None:
    declared = dict(_DECLARED.findall(path.read_text(encoding="utf-8")))
    if "FORMAT" not in declared:
        return None
    words = declared.get("APPENDED", "").split()
    return Format(
        declared["FORMAT"],
        f"{__package__}.{path.stem}",
        tuple(declared.get("SUFFIXES", "").split()),
        tuple(zip(words[::2], words[1::2], strict=True)),
    )
