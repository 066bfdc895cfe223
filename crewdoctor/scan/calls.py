"""Calls of one function that can wait, each with the limit in force on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Location, Seconds, Timeout
from crewdoctor.scan import clients
from crewdoctor.scan.clients import Client
from crewdoctor.scan.commands import outward_program
from crewdoctor.scan.module import Function, Module, calls_in, dotted
from crewdoctor.scan.repeats import ONCE, Repeats, of_client
from crewdoctor.scan.statement import statement_at
from crewdoctor.scan.timeouts import Limit, default_of, written
from crewdoctor.scan.values import UNRESOLVED, Scope, live_value, value_of

_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that can wait."""

    location: Location
    client: str
    call: str
    """As written: `requests.get`."""
    limit: Limit
    url: str
    """As far as it could be followed; unknown parts are `{...}`."""
    network: bool
    written_at: Location | None = None
    """Where the limit is written, None for a default."""
    program: str = ""
    """The program of a child process that talks to the network and is told no limit of its own."""
    repeats: Repeats = ONCE
    """How often it may be begun again."""


@dataclass(frozen=True, slots=True)
class _Made:
    """How the object a method is called on came to be."""

    client: Client
    limit: Limit
    url: str = ""
    by: ast.Call | None = None
    """Its constructor's call."""


def waiting_calls(module: Module, function: Function, scope: Scope) -> Iterator[Waiting]:
    """Calls of `function` that can wait, in order of lines."""
    for call in calls_in(function):
        found = _of_function(call, scope) or _of_method(call, scope) or _of_constructor(call, scope)
        if found is None:
            continue
        client, limit, url = found
        made = _receiver(call.func.value, scope, _DEPTH) if isinstance(call.func, ast.Attribute) else None
        here = _at(module, call.lineno, function)
        yield Waiting(
            location=here,
            client=client.name,
            call=ast.unparse(call.func),
            limit=limit,
            url=url,
            network=client.network,
            written_at=_at(module, limit.line, function) if limit.line else None,
            program=outward_program(call, scope) if client.name == "subprocess" else "",
            repeats=of_client(client.name, call, made.by if made is not None else None, scope),
        )


def _at(module: Module, line: int, function: Function) -> Location:
    return Location(module.file, line, function.name, module.source(line), statement_at(module.file, line))


def full_name(node: ast.expr, scope: Scope) -> str:
    """The dotted name an expression means in its module: `rq.get` is `requests.get` after `import requests as rq`."""
    name = dotted(node)
    head, dot, rest = name.partition(".")
    meant = scope.module.imports.get(head)
    if head in scope.local or (meant is None and not dot):
        return "" if head in scope.local else name
    return f"{meant or head}{dot}{rest}"


def _of_function(call: ast.Call, scope: Scope) -> tuple[Client, Limit, str] | None:
    client = clients.by_function(full_name(call.func, scope))
    if client is None:
        return None
    position = client.position if client.constructor_position is None else client.constructor_position
    limit = written(client, call, scope, position) or default_of(client)
    return client, limit, _url(client, call, scope)


def _of_constructor(call: ast.Call, scope: Scope) -> tuple[Client, Limit, str] | None:
    made = _construction(call, scope)
    return (made.client, made.limit, made.url) if made is not None and made.client.constructor_waits else None


def _of_method(call: ast.Call, scope: Scope) -> tuple[Client, Limit, str] | None:
    if not isinstance(call.func, ast.Attribute):
        return None
    made = _receiver(call.func.value, scope, _DEPTH)
    if made is None or (made.client.methods and call.func.attr not in made.client.methods):
        return None
    client, limit = made.client, made.limit
    if not client.methods and call.func.attr in ("close", "aclose", "disconnect", "quit"):
        return None
    if client.method_keywords:
        position = 1 if call.func.attr == "communicate" else 0 if call.func.attr == "wait" else client.position
        limit = written(client, call, scope, position) or limit
    elif client.name in ("socket", "http.client"):
        limit = _settimeout(call.func.value, scope) or limit
    target = call.args[1] if call.func.attr == "request" and len(call.args) > 1 else None
    return client, limit, _joined(made.url, _url(client, call, scope, target))


def _settimeout(receiver: ast.expr, scope: Scope) -> Limit | None:
    """`sock.settimeout(5)` somewhere in the same function."""
    name = dotted(receiver)
    for other in calls_in(scope.function) if scope.function is not None and name else []:
        if isinstance(other.func, ast.Attribute) and other.func.attr == "settimeout" and other.args:
            if dotted(other.func.value) not in (name, f"{name}.sock"):
                continue
            held = value_of(other.args[0], scope)
            limit: Timeout = UNLIMITED if held is None else UNKNOWN
            if isinstance(held, (int, float)):
                limit = Seconds(float(held))
            return Limit(limit, limit, other.lineno)
    return None


def _receiver(node: ast.expr, scope: Scope, depth: int) -> _Made | None:
    """How the object `node` stands for was made: followed through names, attributes, chained calls and factories."""
    if depth <= 0:
        return None
    if isinstance(node, ast.Await):
        return _receiver(node.value, scope, depth - 1)
    if isinstance(node, ast.Call):
        made = _construction(node, scope) or _factory(node, scope, depth)
        if made is None and isinstance(node.func, ast.Attribute):  # `connection.cursor()`, `session.mount()`
            made = _receiver(node.func.value, scope, depth - 1)
        return made
    name = dotted(node)
    bound = scope.expression(name) if name else None
    if bound is not None and bound is not node:
        return _receiver(bound, scope, depth - 1)
    made = _living(name, scope)
    if made is None and isinstance(node, ast.Attribute):  # `client.chat.completions`
        return _receiver(node.value, scope, depth - 1)
    return made


def _construction(call: ast.Call, scope: Scope) -> _Made | None:
    name = full_name(call.func, scope)
    client = clients.by_constructor(name) if name else None
    if client is None and isinstance(call.func, ast.Attribute) and call.func.attr == "submit":
        client = clients.by_constructor("*.submit")
    if client is None:
        return None
    limit = written(client, call, scope, client.constructor_position) or default_of(client)
    return _Made(client, limit, _url(client, call, scope, call.args[0] if call.args and client.network else None), call)


def _factory(call: ast.Call, scope: Scope, depth: int) -> _Made | None:
    """A function of the same module that returns a client it made."""
    function = scope.module.functions.get(dotted(call.func))
    if function is None:
        return None
    inside = replace(scope, function=function)
    for node in ast.walk(function):
        if isinstance(node, (ast.Return, ast.Yield)) and node.value is not None:
            made = _receiver(node.value, inside, depth - 1)
            if made is not None:
                return made
    return None


def _living(name: str, scope: Scope) -> _Made | None:
    """A client object only its loaded module knows: read its own timeout where it has one."""
    held = live_value(name, scope) if name and not name.startswith("self.") else UNRESOLVED
    if name.startswith("self.") and name.count(".") == 1:
        held = scope.attributes.get(name.removeprefix("self."), UNRESOLVED)
    kind = type(held)
    module = kind.__module__.split(".", 1)[0]
    if held is UNRESOLVED or module not in clients.MODULES:
        return None
    client = clients.by_constructor(f"{module}.{kind.__name__}")
    if client is None:
        return None
    limit = _living_limit(held)
    return _Made(client, limit or default_of(client), str(vars(held).get("_base_url", "")))


def _living_limit(held: Any) -> Limit | None:
    timeout = getattr(held, "_timeout", None) or getattr(held, "timeout", None)
    read, connect = getattr(timeout, "read", UNRESOLVED), getattr(timeout, "connect", UNRESOLVED)
    if isinstance(timeout, (int, float)) and not isinstance(timeout, bool):
        return Limit(Seconds(float(timeout)))
    if not isinstance(read, (int, float, type(None))) or not isinstance(connect, (int, float, type(None))):
        return None
    return Limit(UNLIMITED if read is None else Seconds(read), UNLIMITED if connect is None else Seconds(connect))


def _url(client: Client, call: ast.Call, scope: Scope, node: ast.expr | None = None) -> str:
    for keyword in call.keywords:
        if node is None and keyword.arg in client.url_keywords:
            node = keyword.value
    if node is None and client.url is not None and len(call.args) > client.url:
        node = call.args[1] if dotted(call.func).endswith(".request") and len(call.args) > 1 else call.args[client.url]
    held = value_of(node, scope) if node is not None else UNRESOLVED
    if isinstance(held, tuple) and len(held) > 1 and client.name == "socket":
        return f"tcp://{held[0]}:{held[1]}"
    text = held if isinstance(held, str) else ""
    port = call.args[1] if len(call.args) > 1 and client.name in ("http.client", "smtplib") else None
    number = value_of(port, scope) if port is not None else None
    if text and "://" not in text and isinstance(number, int):
        return f"{'https' if 'HTTPS' in dotted(call.func) else 'http' if client.name == 'http.client' else 'tcp'}://{text}:{number}"
    return text


def _joined(base: str, url: str) -> str:
    return url if "://" in url or not base else f"{base.rstrip('/')}/{url.lstrip('/')}" if url else base
