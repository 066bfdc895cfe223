"""The user's own statement with a keyword added to one call of it, everything else kept as it was written. Pure."""

from __future__ import annotations

import ast
from collections.abc import Callable

_WIDEST = 68
"""Columns of a fix that an 80-column report shows without folding."""
_STEP = "    "
_BODY = "\n    pass"

Wanted = Callable[[ast.Call], bool]


def with_keywords(source: str, wanted: Wanted, keywords: dict[str, str]) -> str:
    """`source`, a statement or the head of one, its one `wanted` call with `keywords` set. Empty: not possible.

    A keyword that stands there already gets the new value. Where the line grows too long, the call is wrapped.
    """
    tree, tail = _parsed(source)
    call = _only(tree, wanted) if tree is not None else None
    if call is None or any(isinstance(each, ast.GeneratorExp) for each in call.args):
        return ""
    text = source
    for name, value in keywords.items():
        changed = _with_one(text, tail, wanted, name, value)
        if not changed:
            return ""
        text = changed
    return _wrapped(text, tail, wanted) if any(len(row) > _WIDEST for row in text.splitlines()) else text


def _parsed(source: str) -> tuple[ast.Module | None, str]:
    for tail in ("", _BODY):
        if (tree := _tree(source + tail)) is not None:
            return tree, tail
    return None, ""


def _tree(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None


def _only(tree: ast.Module, wanted: Wanted) -> ast.Call | None:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and wanted(node)]
    return found[0] if len(found) == 1 else None


def _with_one(source: str, tail: str, wanted: Wanted, name: str, value: str) -> str:
    tree = ast.parse(source + tail)
    call = _only(tree, wanted)
    if call is None:
        return ""
    held = next((each for each in call.keywords if each.arg == name), None)
    if held is not None:
        start, end = _span(source, held.value)
        text = f"{source[:start]}{value}{source[end:]}"
    elif call.args or call.keywords:
        given: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
        last = max(given, key=lambda each: (each.end_lineno or 0, each.end_col_offset or 0))
        start, end = _span(source, last)
        text = f"{source[:end]},{_lead(source, start)}{name}={value}{source[end:]}"
    else:
        _, end = _span(source, call)
        text = f"{source[: end - 1]}{name}={value}{source[end - 1 :]}"
    value_node = ast.parse(value, mode="eval").body
    if held is not None:
        held.value = value_node
    else:
        call.keywords.append(ast.keyword(name, value_node))
    return text if _same(text + tail, tree) else ""


def _lead(source: str, start: int) -> str:
    """A space, or a new line as far in as the argument that begins its own."""
    before = source[source.rfind("\n", 0, start) + 1 : start]
    return f"\n{before}" if not before.strip() and "\n" in source[:start] else " "


def _span(source: str, node: ast.expr | ast.keyword) -> tuple[int, int]:
    """Where a node stands in the text: `ast` counts bytes of a line."""
    rows = source.encode().splitlines(keepends=True)
    ends = []
    for line, column in ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)):
        ends.append(len((b"".join(rows[: line - 1]) + rows[line - 1][:column]).decode()))
    return ends[0], ends[1]


def _same(text: str, tree: ast.Module) -> bool:
    found = _tree(text)
    return found is not None and ast.dump(found) == ast.dump(tree)


def _wrapped(text: str, tail: str, wanted: Wanted) -> str:
    """The call with one argument a line; as it was, where that would lose something (a comment)."""
    tree = ast.parse(text + tail)
    call = _only(tree, wanted)
    if call is None:
        return text
    given: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    parts = [text[slice(*_span(text, each))] for each in given]
    start, end = _span(text, call)
    function_end = _span(text, call.func)[1]
    row = text[text.rfind("\n", 0, start) + 1 :]
    indent = row[: len(row) - len(row.lstrip(" "))]
    inner = "".join(f"\n{indent}{_STEP}{part}," for part in parts)
    wrapped = f"{text[:function_end]}({inner}\n{indent}){text[end:]}"
    return wrapped if "#" not in text[start:end] and _same(wrapped + tail, tree) else text
