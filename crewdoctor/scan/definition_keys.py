"""Lines of a crew's definition, in JSON, JSONC or YAML, that give a key: the file itself, and those of its folders.

JSONC is no YAML for its comments alone: those are blanked out, every other character keeps its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from crewdoctor.scan.platforms.yaml_nodes import documents, walk

_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_BESIDE = ("agents", "tasks", "config")
_SUFFIXES = (".json", ".jsonc", ".yaml", ".yml")


def keys_in(definition: Path, name: str) -> Iterator[tuple[str, int]]:
    """File and line of each entry called `name`."""
    beside = (each for folder in _BESIDE for each in sorted((definition.parent / folder).glob("*")))
    for file in (definition, *beside):
        if file.suffix.lower() in _SUFFIXES and file.is_file():
            for line in _lines(file, name):
                yield str(file), line


def _lines(file: Path, name: str) -> Iterator[int]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    if file.suffix.lower().startswith(".json"):
        text = _COMMENT.sub(_blank, text).replace("\t", " ")
    for root in documents(text):
        for node in walk(root):
            if getattr(node, "id", "") == "mapping":
                yield from (key.start_mark.line + 1 for key, _ in node.value if key.value == name)


def _blank(found: re.Match[str]) -> str:
    held = found[0]
    return held if held.startswith('"') else re.sub(r"[^\n]", " ", held)
