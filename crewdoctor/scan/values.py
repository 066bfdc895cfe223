"""What an expression is worth, without running it.

A name is looked up in the function, then in live values the caller offers (a loaded module knows more than its source),
then among the module's own constants. Whatever cannot be followed is UNRESOLVED, never guessed.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crewdoctor.scan.module import Function, Module, bindings, dotted

UNRESOLVED: Any = object()
_DEPTH = 12
_PLAIN = (str, int, float, bool, tuple, list, type(None))
_CASTS: dict[str, Callable[[Any], Any]] = {"float": float, "int": int, "str": str}


@dataclass(slots=True)
class Scope:
    """Where names are looked up."""

    module: Module
    function: Function | None = None
    live: Mapping[str, Any] = field(default_factory=dict)
    """Live globals and closure of the function, where it was loaded."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Live attributes of `self`."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    local: dict[str, ast.expr] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.function is not None:
            self.local = {**_defaults(self.function), **bindings(self.function.body)}

    def expression(self, name: str) -> ast.expr | None:
        """The expression `name` (or `self.x`) was bound to, in the function, its class, or the module."""
        if name in self.local:
            return self.local[name]
        if name.startswith("self.") and self.function is not None:
            return self._attribute_expression(name)
        return None if name in _parameters(self.function) else self.module.assigned.get(name)

    def _attribute_expression(self, name: str) -> ast.expr | None:
        owner = self.module.class_of(self.function) if self.function is not None else None
        if owner is None:
            return None
        found = bindings(owner.body).get(name.removeprefix("self."))
        for each in owner.body:
            if found is None and isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found = bindings(each.body).get(name)
        return found


def _parameters(function: Function | None) -> set[str]:
    if function is None:
        return set()
    held = function.args
    return {each.arg for each in (*held.posonlyargs, *held.args, *held.kwonlyargs)}


def _defaults(function: Function) -> dict[str, ast.expr]:
    held = function.args
    positional = [*held.posonlyargs, *held.args]
    pairs = zip(positional[len(positional) - len(held.defaults) :], held.defaults, strict=True)
    keyword = zip(held.kwonlyargs, held.kw_defaults, strict=True)
    return {each.arg: value for each, value in (*pairs, *keyword) if value is not None}


def value_of(node: ast.expr, scope: Scope, depth: int = _DEPTH) -> Any:
    """The value of `node`, or UNRESOLVED. Text with unknown parts keeps them as `{...}`."""
    if depth <= 0:
        return UNRESOLVED
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _named(node, scope, depth)
    if isinstance(node, ast.JoinedStr):
        return "".join(_piece(each, scope, depth) for each in node.values)
    if isinstance(node, (ast.Tuple, ast.List)):
        items = [value_of(each, scope, depth - 1) for each in node.elts]
        return UNRESOLVED if any(each is UNRESOLVED for each in items) else tuple(items)
    if isinstance(node, ast.BinOp):
        return _binary(node, scope, depth)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        held = value_of(node.operand, scope, depth - 1)
        return -held if isinstance(held, (int, float)) else UNRESOLVED
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        first = value_of(node.values[0], scope, depth - 1)
        return first if first is UNRESOLVED or first else value_of(node.values[-1], scope, depth - 1)
    if isinstance(node, ast.Subscript) and dotted(node.value) in ("os.environ", "environ"):
        name = value_of(node.slice, scope, depth - 1)
        return scope.environment.get(name, UNRESOLVED) if isinstance(name, str) else UNRESOLVED
    if isinstance(node, ast.Call):
        return _called(node, scope, depth)
    return UNRESOLVED


def _named(node: ast.Name | ast.Attribute, scope: Scope, depth: int) -> Any:
    name = dotted(node)
    if name.startswith("self.") and name.count(".") == 1:
        held = scope.attributes.get(name.removeprefix("self."), UNRESOLVED)
        if isinstance(held, _PLAIN):
            return held
    elif name and name.split(".", 1)[0] not in {*scope.local, *_parameters(scope.function)}:
        held = live_value(name, scope)
        if isinstance(held, _PLAIN):
            return held
    bound = scope.expression(name) if name else None
    return UNRESOLVED if bound is None or bound is node else value_of(bound, scope, depth - 1)


def live_value(name: str, scope: Scope) -> Any:
    """A live value by dotted name, read from modules and instances' own dictionaries only: nothing of theirs runs."""
    head, *rest = name.split(".")
    held = scope.live.get(head, UNRESOLVED)
    for part in rest:
        own = getattr(held, "__dict__", None)
        held = own.get(part, UNRESOLVED) if isinstance(own, Mapping) else UNRESOLVED
    return held


def _piece(node: ast.expr, scope: Scope, depth: int) -> str:
    if isinstance(node, ast.FormattedValue):
        held = value_of(node.value, scope, depth - 1)
        return "{...}" if held is UNRESOLVED else str(held)
    return str(node.value) if isinstance(node, ast.Constant) else "{...}"


def _binary(node: ast.BinOp, scope: Scope, depth: int) -> Any:
    left, right = value_of(node.left, scope, depth - 1), value_of(node.right, scope, depth - 1)
    if isinstance(node.op, ast.Add) and isinstance(left, str):
        return left + (right if isinstance(right, str) else "{...}")
    if isinstance(node.op, ast.Mod) and isinstance(left, str):
        return left.replace("%s", str(right), 1) if isinstance(right, (str, int)) else left.replace("%s", "{...}")
    if not (isinstance(left, (int, float)) and isinstance(right, (int, float))):
        return UNRESOLVED
    if isinstance(node.op, ast.Add):
        return left + right
    if isinstance(node.op, ast.Sub):
        return left - right
    if isinstance(node.op, ast.Mult):
        return left * right
    return left / right if isinstance(node.op, ast.Div) and right else UNRESOLVED


def _called(node: ast.Call, scope: Scope, depth: int) -> Any:
    name = dotted(node.func)
    if name in ("os.getenv", "getenv", "os.environ.get", "environ.get") and node.args:
        variable = value_of(node.args[0], scope, depth - 1)
        if not isinstance(variable, str):
            return UNRESOLVED
        held = scope.environment.get(variable)
        if held is not None:
            return held
        return value_of(node.args[1], scope, depth - 1) if len(node.args) > 1 else None
    if name in _CASTS and len(node.args) == 1:
        held = value_of(node.args[0], scope, depth - 1)
        try:
            return _CASTS[name](held) if held is not UNRESOLVED and held is not None else UNRESOLVED
        except (TypeError, ValueError):
            return UNRESOLVED
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "rstrip", "lstrip", "strip"):
        held = value_of(node.func.value, scope, depth - 1)
        if isinstance(held, str):
            return held if node.func.attr == "format" else _stripped(held, node, scope, depth)
    return UNRESOLVED


def _stripped(text: str, node: ast.Call, scope: Scope, depth: int) -> Any:
    held = value_of(node.args[0], scope, depth - 1) if node.args else None
    if not isinstance(held, (str, type(None))) or not isinstance(node.func, ast.Attribute):
        return UNRESOLVED
    if node.func.attr == "rstrip":
        return text.rstrip(held)
    return text.lstrip(held) if node.func.attr == "lstrip" else text.strip(held)
