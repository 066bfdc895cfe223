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
_OPEN_ENDED = (":", ".", "-", "@")
"""What stands before more of a host, or a port."""
_CONNECTING = ("http", "https", "ws", "wss", "redis", "rediss", "postgres", "postgresql", "mysql", "mongodb", "amqp")


def urls_in(
    module: Module, function: Function, live: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Iterator[tuple[str, Location]]:
    """URLs of the function's expressions, each once, with the line they stand in. Its docstring is prose."""
    scope = Scope(module, function, live=live, attributes=attributes)
    prose = {id(each.value) for each in function.body if isinstance(each, ast.Expr)}
    nodes = [node for statement in function.body for node in ast.walk(statement)]
    prose |= {id(piece) for node in nodes if isinstance(node, ast.JoinedStr) for piece in node.values}
    seen: set[str] = set()
    for node in nodes:
        if id(node) in prose or not _may_hold(node):
            continue
        held = value_of(node, scope)  # type: ignore[arg-type]
        found = _whole(held) if isinstance(held, str) else ""
        if not found or found in seen or found.partition("://")[0].lower() not in _CONNECTING:
            continue
        seen.add(found)
        line: int = node.lineno  # type: ignore[attr-defined]
        yield found, Location(module.file, line, function.name, module.source(line))


def _whole(text: str) -> str:
    """Scheme, host and port at the start of a text; empty where a part of them is not known (`http://localhost:{...}`)."""
    found = _URL.match(text)
    if found is None or found[0].endswith(_OPEN_ENDED):
        return ""
    rest = text[found.end() :]
    is_path = not rest.startswith("{") or rest.partition("}")[2][:1] in {"", "/", "?"}
    return found[0] if is_path else ""


def _may_hold(node: ast.AST) -> bool:
    if isinstance(node, (ast.Name, ast.Attribute)):
        return bool(dotted(node)) and isinstance(node.ctx, ast.Load)
    return isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp, ast.Call, ast.Subscript))
