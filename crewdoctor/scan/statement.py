"""The statement or call around a line of source, where it goes over several lines: what a fix is written into."""

from __future__ import annotations

import ast
import textwrap
from functools import lru_cache
from pathlib import Path

_MOST_LINES = 12
_LONGEST_TEXT = 80
"""Characters of a string beyond which it may be a prompt: such a statement is left out of recordings."""


def statement_at(file: str, line: int) -> str:
    """The innermost statement around `line`, of a compound one its head; empty where it is that line alone."""
    return _text(file, _stamp(file), line, ast.stmt)


def call_at(file: str, line: int) -> str:
    """The innermost call around `line` that goes over several lines; empty where there is none."""
    return _text(file, _stamp(file), line, ast.Call)


def _stamp(file: str) -> int:
    try:
        return Path(file).stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


@lru_cache(maxsize=1024)
def _text(file: str, stamp: int, line: int, kind: type[ast.stmt | ast.Call]) -> str:
    try:
        lines, tree = _read(file, stamp)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return ""
    around = [each for each in ast.walk(tree) if isinstance(each, kind) and each.lineno <= line <= _end(each)]
    node = min(around, key=lambda each: (_end(each) - each.lineno, -each.lineno), default=None)
    if node is None or not 0 < _end(node) - node.lineno < _MOST_LINES or _holds_a_long_text(node, _end(node)):
        return ""
    rows = lines[node.lineno - 1 : _end(node)]
    if isinstance(node, ast.Call):
        indent = rows[0][: len(rows[0]) - len(rows[0].lstrip())]
        return textwrap.dedent(indent + (ast.get_source_segment("\n".join(lines), node) or ""))
    return textwrap.dedent("\n".join(rows))


@lru_cache(maxsize=64)
def _read(file: str, _stamp: int) -> tuple[tuple[str, ...], ast.Module]:
    text = Path(file).read_bytes()
    return tuple(text.decode("utf-8", "replace").splitlines()), ast.parse(text, file)


def _end(node: ast.stmt | ast.Call) -> int:
    """The last line; of a statement with a body, the last before it."""
    body = getattr(node, "body", None)
    if isinstance(body, list) and body:
        first = min([body[0].lineno, *(each.lineno for each in getattr(body[0], "decorator_list", ()))])
        return int(max(node.lineno, first - 1))
    return node.end_lineno or node.lineno


def _holds_a_long_text(node: ast.AST, last: int) -> bool:
    return any(
        isinstance(each, ast.Constant) and isinstance(each.value, str) and len(each.value) > _LONGEST_TEXT
        for each in ast.walk(node)
        if getattr(each, "lineno", last) <= last
    )
