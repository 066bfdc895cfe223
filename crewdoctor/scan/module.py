"""A module as source: what its names mean, found by reading.

Broken or unreadable source gives an empty module: the scan finds nothing there, it never raises.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class Module:
    """Names of one file."""

    file: str
    lines: tuple[str, ...] = ()
    imports: dict[str, str] = field(default_factory=dict)
    """Local name to dotted name, as far as written: `rq` to `requests`, `urlopen` to `urllib.request.urlopen`."""
    relative: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    """Names from `from .x import y`: local name to (level, module, name)."""
    assigned: dict[str, ast.expr] = field(default_factory=dict)
    """Module-level names assigned exactly once."""
    functions: dict[str, Function] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    all_functions: list[Function] = field(default_factory=list)

    def source(self, line: int) -> str:
        """The stripped text of a line, or an empty string."""
        return self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""

    def function_at(self, line: int) -> Function | None:
        """The function whose `def` or first decorator is at `line`, else the innermost one around it."""
        around: list[Function] = []
        for function in self.all_functions:
            first = min([function.lineno, *(each.lineno for each in function.decorator_list)])
            if line in (first, function.lineno):
                return function
            if first <= line <= (function.end_lineno or first):
                around.append(function)
        return max(around, key=lambda each: each.lineno, default=None)

    def class_of(self, function: Function) -> ast.ClassDef | None:
        """The class `function` is a method of."""
        return next((each for each in self.classes.values() if function in each.body), None)


def read_module(file: str) -> Module:
    """Read `file` once per version of it; an empty Module where it cannot be read or parsed."""
    try:
        stamp = Path(file).stat().st_mtime_ns
    except (OSError, ValueError):
        return Module(file)
    return _read(file, stamp)


@lru_cache(maxsize=256)
def _read(file: str, _stamp: int) -> Module:
    try:
        text = Path(file).read_bytes()
        tree = ast.parse(text, file)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return Module(file)
    module = Module(file, tuple(text.decode("utf-8", "replace").splitlines()))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            module.all_functions.append(node)
        elif isinstance(node, ast.ClassDef):
            module.classes.setdefault(node.name, node)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            _note_import(module, node)
    module.assigned = bindings(tree.body)
    module.functions = {
        node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    return module


def _note_import(module: Module, node: ast.Import | ast.ImportFrom) -> None:
    if isinstance(node, ast.Import):
        for alias in node.names:
            name = alias.asname or alias.name.split(".", 1)[0]
            module.imports[name] = alias.name if alias.asname else name
        return
    for alias in node.names:
        name = alias.asname or alias.name
        if node.level:
            module.relative[name] = (node.level, node.module or "", alias.name)
        else:
            module.imports[name] = f"{node.module}.{alias.name}"


def bindings(body: list[ast.stmt]) -> dict[str, ast.expr]:
    """Names given a value exactly once in `body`, nested blocks included, nested functions and classes not."""
    found: dict[str, list[ast.expr]] = {}
    for node in _walk_block(body):
        for target, value in _assignments(node):
            name = _target_name(target)
            if name:
                found.setdefault(name, []).append(value)
    return {name: values[0] for name, values in found.items() if len({ast.dump(each) for each in values}) == 1}


def _assignments(node: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Assign):
        return [(target, node.value) for target in node.targets]
    if isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
        return [(node.target, node.value)]
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return [(item.optional_vars, item.context_expr) for item in node.items if item.optional_vars is not None]
    return []


def _target_name(target: ast.expr) -> str:
    """`x` for a name, `self.x` for an attribute of self; tuples are not followed."""
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id in ("self", "cls"):
        return f"self.{target.attr}"
    return ""


def _walk_block(body: list[ast.stmt]) -> list[ast.AST]:
    waiting: list[ast.AST] = list(body)
    seen: list[ast.AST] = []
    while waiting:
        node = waiting.pop(0)
        seen.append(node)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            waiting.extend(ast.iter_child_nodes(node))
    return seen


def calls_in(function: Function) -> list[ast.Call]:
    """Calls the function makes, those of functions nested in it included (they are its closures), in order."""
    found = [node for statement in function.body for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a chain of names, or an empty string."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""
