"""Functions and classes that build or start a crew when they are called: found by reading, named, never called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from crewdoctor.worker.project_paths import Place

_STARTS = frozenset({"kickoff", "kickoff_async", "akickoff", "kickoff_for_each", "kickoff_for_each_async"})


@dataclass(frozen=True, slots=True)
class Builder:
    """A function or class of the target that builds or starts a crew."""

    name: str
    line: int
    decorators: tuple[str, ...]
    """As written: `app.post`, `shared_task`."""


def builders(place: Place) -> list[Builder]:
    """Functions and classes of the module, or made inside a function of it, that build a crew or kick one off."""
    tree = _tree(place)
    return list(_in(tree.body)) if tree is not None else []


def nameable(place: Place) -> str:
    """What the user may name instead, `crew.py:build`; an empty string where reading finds nothing."""
    found = builders(place)
    return f"{place.shown}:{found[0].name}" if found else ""


def has_main(place: Place) -> bool:
    """Whether the file does something of its own when it is run."""
    tree = _tree(place)
    return tree is not None and any(
        isinstance(node, ast.If) and "__main__" in ast.dump(node.test) for node in tree.body
    )


def _tree(place: Place) -> ast.Module | None:
    try:
        return ast.parse(place.file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


def _in(body: list[ast.stmt]) -> Iterator[Builder]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inner = list(_in(node.body))
            if inner:
                yield from inner
                continue
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if any(_builds(each) for each in ast.walk(node)):
            decorators = tuple(ast.unparse(_bare(each)) for each in node.decorator_list)
            yield Builder(node.name, node.lineno, decorators)


def _bare(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _builds(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id == "Crew"
    return isinstance(node.func, ast.Attribute) and (node.func.attr == "Crew" or node.func.attr in _STARTS)
