"""URLs a function names: literals, f-strings, module constants, variables with defaults."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from crewdoctor.model.setting import Location
from crewdoctor.scan.module import Function, Module, dotted
from crewdoctor.scan.values import Scope, value_of

_URL = re.compile(r"[a-z][a-z0-9+]*://[^/\s{}]+", re.IGNORECASE)
_CONNECTING = ("http", "https", "ws", "wss", "redis", "rediss", "postgres", "postgresql", "mysql", "mongodb", "amqp")


def urls_in(
    module: Module, function: Function, live: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Iterator[tuple[str, Location]]:
    """URLs of the function's expressions, each once, with the line they stand in. Its docstring is prose."""
    scope = Scope(module, function, live=live, attributes=attributes)
    prose = {id(each.value) for each in function.body if isinstance(each, ast.Expr)}
    seen: set[str] = set()
    for statement in function.body:
        for node in ast.walk(statement):
            if id(node) in prose or not _may_hold(node):
                continue
            held = value_of(node, scope)  # type: ignore[arg-type]
            found = _URL.match(held) if isinstance(held, str) else None
            if found is None or found[0] in seen or found[0].partition("://")[0].lower() not in _CONNECTING:
                continue
            seen.add(found[0])
            line: int = node.lineno  # type: ignore[attr-defined]
            yield found[0], Location(module.file, line, function.name, module.source(line))


def _may_hold(node: ast.AST) -> bool:
    if isinstance(node, (ast.Name, ast.Attribute)):
        return bool(dotted(node)) and isinstance(node.ctx, ast.Load)
    return isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp, ast.Call, ast.Subscript))
