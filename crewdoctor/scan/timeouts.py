"""The timeout in force on one call, as written in its source."""

from __future__ import annotations

import ast
import socket
from dataclasses import dataclass
from typing import Any

from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Seconds, Timeout
from crewdoctor.scan.clients import Client
from crewdoctor.scan.module import dotted
from crewdoctor.scan.values import UNRESOLVED, Scope, value_of

_PAIR = 2
_TOTAL_OF_AIOHTTP = 300.0


@dataclass(frozen=True, slots=True)
class Limit:
    """What ends a wait, and where it was written."""

    read: Timeout
    """What ends the wait for an answer."""
    connect: Timeout | None = None
    """What ends the wait for a connection, where it is another number."""
    line: int = 0
    """Line of the keyword; 0: nothing is written, the library's default holds."""


def default_of(client: Client) -> Limit:
    """What holds when the user writes nothing."""
    if isinstance(client.default, str):
        return Limit(_socket_default())
    if client.name == "requests":
        return Limit(client.default, client.default)
    return Limit(client.default)


def _socket_default() -> Timeout:
    held = socket.getdefaulttimeout()
    return UNLIMITED if held is None else Seconds(held)


def written(client: Client, call: ast.Call, scope: Scope, position: int | None) -> Limit | None:
    """The limit a call or constructor states itself; None where it says nothing (a `**mapping` may: UNKNOWN)."""
    for keyword in call.keywords:
        if keyword.arg in client.keywords:
            return _read(client, keyword.value, scope)
    if position is not None and len(call.args) > position and not any(isinstance(a, ast.Starred) for a in call.args):
        return _read(client, call.args[position], scope)
    spread = [keyword for keyword in call.keywords if keyword.arg is None]
    if spread and client.keywords:
        return _spread(client, spread[0].value, scope)
    if client.name == "psycopg":
        return _statement_timeout(call, scope)
    return None


def _spread(client: Client, node: ast.expr, scope: Scope) -> Limit | None:
    """`**mapping`: a literal dictionary is read; of anything else nobody knows what it says."""
    bound = scope.expression(dotted(node)) if not isinstance(node, ast.Dict) else node
    if not isinstance(bound, ast.Dict) or any(key is None for key in bound.keys):
        return Limit(UNKNOWN, line=node.lineno)
    for key, value in zip(bound.keys, bound.values, strict=True):
        if isinstance(key, ast.Constant) and key.value in client.keywords:
            return _read(client, value, scope)
    return None


def _read(client: Client, node: ast.expr, scope: Scope) -> Limit:
    if isinstance(node, ast.Call):
        made = _made(node, scope)
        if made is not None:
            return made
    held = value_of(node, scope)
    if held is UNRESOLVED:
        bound = scope.expression(dotted(node)) if dotted(node) else None
        made = _made(bound, scope) if isinstance(bound, ast.Call) else None
        return made or Limit(UNKNOWN, line=node.lineno)
    return _from_value(client, held, node.lineno)


def _from_value(client: Client, held: Any, line: int) -> Limit:
    if held is None:
        return Limit(client.none, line=line) if client.none is not None else default_of(client)
    if isinstance(held, tuple) and len(held) >= _PAIR:
        connect, read = _seconds(held[0], client), _seconds(held[1], client)
        return Limit(read, connect, line)
    limit = _seconds(held, client)
    return Limit(limit, limit, line)


def _seconds(held: Any, client: Client) -> Timeout:
    if held is None:
        return UNLIMITED
    if isinstance(held, bool) or not isinstance(held, (int, float)):
        return UNKNOWN
    return Seconds(float(held) * client.scale)


def _made(node: ast.Call, scope: Scope) -> Limit | None:
    """`httpx.Timeout(...)`, `aiohttp.ClientTimeout(...)`, `urllib3.Timeout(...)`, botocore's `Config(...)`."""
    kind = dotted(node.func).rpartition(".")[2]
    kind = scope.module.imports.get(kind, kind).rpartition(".")[2]
    given: dict[str, Any] = {each.arg: value_of(each.value, scope) for each in node.keywords if each.arg}
    if kind == "ClientTimeout":
        ends = [given.get("total", _TOTAL_OF_AIOHTTP), given.get("sock_read")]
        return Limit(
            _tightest(ends), _tightest([*ends[:1], given.get("sock_connect"), given.get("connect")]), node.lineno
        )
    if kind == "Timeout":
        base = value_of(node.args[0], scope) if node.args else given.get("timeout", given.get("total", UNRESOLVED))
        if base is UNRESOLVED and not node.args and "timeout" not in given:
            base = None
        return Limit(_plain(given.get("read", base)), _plain(given.get("connect", base)), node.lineno)
    if kind == "Config":
        return Limit(_plain(given.get("read_timeout", 60.0)), _plain(given.get("connect_timeout", 60.0)), node.lineno)
    return None


def _tightest(ends: list[Any]) -> Timeout:
    numbers = [float(each) for each in ends if isinstance(each, (int, float)) and each]
    if numbers:
        return Seconds(min(numbers))
    return UNKNOWN if any(each is UNRESOLVED for each in ends) else UNLIMITED


def _plain(held: Any) -> Timeout:
    if held is None:
        return UNLIMITED
    return Seconds(float(held)) if isinstance(held, (int, float)) else UNKNOWN


def _statement_timeout(call: ast.Call, scope: Scope) -> Limit | None:
    """`options="-c statement_timeout=5000"` bounds every statement, in milliseconds unless a unit is written."""
    for keyword in call.keywords:
        held = value_of(keyword.value, scope) if keyword.arg == "options" else None
        if isinstance(held, str) and "statement_timeout" in held:
            text = held.partition("statement_timeout")[2].lstrip("= ").split()[0].strip("'\"")
            digits = text.rstrip("ms")
            if digits.isdigit():
                seconds = float(digits) if text.endswith("s") and not text.endswith("ms") else float(digits) / 1000
                return Limit(Seconds(seconds) if seconds else UNLIMITED, line=keyword.value.lineno)
            return Limit(UNKNOWN, line=keyword.value.lineno)
    return None
