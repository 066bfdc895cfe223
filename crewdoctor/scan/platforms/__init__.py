"""Limits of the platform around a crew, read from files that lie in its project; nothing of them is run.

One file per platform: `PATTERNS`, the globs it reads from the project's folder on, and `limits(place)`, what one file
says. A file that cannot be read or parsed says nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from crewdoctor.scan.platforms.limit import Around, Outer

_FOREIGN = frozenset({".venv", "venv", "env", "node_modules", "site-packages", ".git", ".tox", "build", "dist"})
_MOST_FILES = 200
_MOST_BYTES = 256 * 1024


def outer_limits(root: Path, target: Path) -> tuple[Outer, ...]:
    """Every limit written around the crew in `target`, in files of the project at `root`, by file and line."""
    found: list[Outer] = []
    for module in _readers():
        for file in _files(root, module.PATTERNS):
            with suppress(OSError, SyntaxError, ValueError, RecursionError):
                found += module.limits(Around(file, root, target))
    return tuple(sorted(found, key=lambda each: (each.location.file, each.location.line, each.platform)))


def _readers() -> Iterator[Any]:
    for each in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{each.name}")
        if hasattr(module, "PATTERNS"):
            yield module


def _files(root: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    count = 0
    for file in dict.fromkeys(each for pattern in patterns for each in sorted(root.glob(pattern))):
        inside = file.relative_to(root).parts
        if _FOREIGN & set(inside) or not file.is_file() or file.stat().st_size > _MOST_BYTES:
            continue
        count += 1
        if count > _MOST_FILES:
            return
        yield file
