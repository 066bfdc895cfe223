"""Where the value of a keyword was really written: followed through names, dictionaries, functions and variables.

Nothing is run. Followed are names assigned once, constants of imported modules of the project, attributes of a class,
entries of a dictionary that stands in the source (unpacked with `**` too), parameters of functions that the caller's
line gives, and environment variables. What is anything else is told as not followed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crewdoctor.scan.module import Function, Module, bindings, dotted, read_module

Frame = tuple[str, int, str]
"""File, line and function of one of the user's own frames; a sequence of them is innermost first."""
_DEPTH = 10
_CASTS = frozenset({"float", "int", "str", "bool"})
_GETTERS = frozenset({"os.getenv", "getenv", "os.environ.get", "environ.get"})
_MOST_TEXT = 40


@dataclass(frozen=True, slots=True)
class Origin:
    """The expression a value comes from."""

    file: str
    line: int
    function: str = ""
    followed: bool = True
    """False: `said` stands at `line`, and what it is worth was not followed."""
    said: str = ""
    variable: str = ""
    """The environment variable it is read from; `line` is where its default stands then."""


def origin_of(frames: Sequence[Frame], name: str) -> Origin | None:
    """Where the value of keyword `name` of the object built at `frames` was written; None where no call names it."""
    for depth, (file, line, _) in enumerate(frames):
        module = read_module(file)
        for call in _calls_around(module, line):
            found = _given(call, name, _Reader(module, module.function_at(line), frames[depth + 1 :]))
            if found is not None:
                return found
    return None


def _calls_around(module: Module, line: int) -> list[ast.Call]:
    """Calls that go over `line`, those that begin there first, the innermost first."""
    tree = ast.parse("\n".join(module.lines)) if module.lines else ast.Module([], [])
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call)]
    around = [each for each in calls if each.lineno <= line <= (each.end_lineno or each.lineno)]
    return sorted(around, key=lambda each: (each.lineno != line, (each.end_lineno or 0) - each.lineno))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Where names are looked up."""

    module: Module
    function: Function | None
    callers: Sequence[Frame]
    depth: int = _DEPTH

    def deeper(self) -> _Reader:
        return replace(self, depth=self.depth - 1)

    def at(self, node: ast.expr | ast.keyword, **said: object) -> Origin:
        name = self.function.name if self.function is not None else ""
        return Origin(self.module.file, node.lineno, name, **said)  # type: ignore[arg-type]

    def lost(self, node: ast.expr) -> Origin:
        text = ast.unparse(node)
        return self.at(node, followed=False, said=text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 3]}...")


def _given(call: ast.Call, name: str, reader: _Reader) -> Origin | None:
    """`name=...`, an entry `"name": ...` of an argument, or what a `**mapping` holds."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return _follow(keyword.value, reader)
    for keyword in call.keywords:
        held = _entry(keyword.value, name, reader) if keyword.arg is None or _is_mapping(keyword.value) else None
        if held is not None:
            return held
    spread = [keyword.value for keyword in call.keywords if keyword.arg is None]
    unread = [node for node in spread if _mapping(node, reader) is None]
    return reader.lost(unread[0]) if unread else None


def _is_mapping(node: ast.expr) -> bool:
    return isinstance(node, ast.Dict) or (isinstance(node, ast.Call) and dotted(node.func) == "dict")


def _follow(node: ast.expr, reader: _Reader) -> Origin:
    if reader.depth <= 0:
        return reader.lost(node)
    variable = _variable(node, reader)
    if variable is not None:
        return variable
    if isinstance(node, (ast.Constant, ast.UnaryOp, ast.BinOp, ast.Tuple, ast.List, ast.Dict, ast.JoinedStr)):
        return reader.at(node)
    if isinstance(node, ast.Call):
        return _called(node, reader)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return _entry(node.value, str(node.slice.value), reader) or reader.lost(node)
    if isinstance(node, ast.BoolOp):  # `os.getenv("LIMIT") or 30`
        return _follow(node.values[0], reader.deeper())
    bound = _bound(dotted(node), reader) if dotted(node) else None
    if bound is not None:
        return _follow(*bound)
    head = dotted(node).partition(".")[0]
    member = isinstance(node, ast.Attribute) and head[:1].isupper() and head in reader.module.imports
    return reader.at(node) if member else reader.lost(node)  # `Process.sequential` says what it is


def _called(node: ast.Call, reader: _Reader) -> Origin:
    name = dotted(node.func)
    if name in _CASTS and len(node.args) == 1:
        return _follow(node.args[0], reader.deeper())
    if isinstance(node.func, ast.Attribute) and name.endswith(".get") and node.args:
        key = node.args[0]
        held = _entry(node.func.value, str(key.value), reader) if isinstance(key, ast.Constant) else None
        return held or (_follow(node.args[1], reader.deeper()) if len(node.args) > 1 else reader.lost(node))
    returned = _returned(name, reader)
    if returned is not None:
        return _follow(*returned)
    if name.rpartition(".")[2] in ("Timeout", "ClientTimeout", "HttpOptions", "timedelta"):
        return reader.at(node)
    return reader.lost(node)


def _returned(name: str, reader: _Reader) -> tuple[ast.expr, _Reader] | None:
    """The one expression a function of the project returns."""
    where, function = reader.module, reader.module.functions.get(name)
    if function is None and "." not in name and name:
        found = _imported(name, reader.module)
        where, function = (found[0], found[0].functions.get(found[1])) if found else (where, None)
    if function is None:
        return None
    given = [each.value for each in ast.walk(function) if isinstance(each, ast.Return) and each.value is not None]
    inside = _Reader(where, function, (), reader.depth - 1)
    return (given[0], inside) if len(given) == 1 else None


def _variable(node: ast.expr, reader: _Reader) -> Origin | None:
    if isinstance(node, ast.Call) and dotted(node.func) in _GETTERS and node.args:
        key, default = node.args[0], node.args[1] if len(node.args) > 1 else node
    elif isinstance(node, ast.Subscript) and dotted(node.value) in ("os.environ", "environ"):
        key, default = node.slice, node
    else:
        return None
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        return reader.at(default, variable=key.value)
    return None


def _bound(name: str, reader: _Reader) -> tuple[ast.expr, _Reader] | None:
    """The expression a name was bound to, and where to read on."""
    function, module = reader.function, reader.module
    head, _, rest = name.partition(".")
    if function is not None and not rest:
        local = bindings(function.body).get(name)
        if local is not None:
            return local, reader.deeper()
        if name in _parameters(function):
            return _argument(function, name, reader)
    if head in ("self", "cls") and function is not None:
        owner = module.class_of(function)
        held = bindings(owner.body).get(rest) if owner is not None else None
        return (held, reader.deeper()) if held is not None else None
    if not rest and name in module.assigned:
        return module.assigned[name], _Reader(module, None, (), reader.depth - 1)
    if rest and head in module.classes:
        held = bindings(module.classes[head].body).get(rest)
        return (held, _Reader(module, None, (), reader.depth - 1)) if held is not None else None
    return _elsewhere(head, rest, reader)


def _elsewhere(head: str, rest: str, reader: _Reader) -> tuple[ast.expr, _Reader] | None:
    found = _imported(head, reader.module)
    if found is None:
        return None
    other, member = found
    there = _Reader(other, None, (), reader.depth - 1)
    wanted = ".".join(each for each in (member, rest) if each)
    return _bound(wanted, there) if wanted and reader.depth > 0 else None


def _parameters(function: Function) -> list[str]:
    given = function.args
    return [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def _argument(function: Function, name: str, reader: _Reader) -> tuple[ast.expr, _Reader] | None:
    """What the caller's line gives a parameter, else its default."""
    for number, (file, line, _) in enumerate(reader.callers):
        module = read_module(file)
        outer = _Reader(module, module.function_at(line), reader.callers[number + 1 :], reader.depth - 1)
        for call in _calls_around(module, line):
            called = dotted(call.func).rpartition(".")[2]
            owner = reader.module.class_of(function)
            if called != function.name and not (owner is not None and called == owner.name):
                continue
            node = _argument_of(call, function, name, method=owner is not None)
            if node is not None:
                return node, outer
            break
    default = dict(_defaults(function)).get(name)
    return (default, _Reader(reader.module, None, (), reader.depth - 1)) if default is not None else None


def _argument_of(call: ast.Call, function: Function, name: str, *, method: bool) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)][int(method) :]
    place = names.index(name) if name in names else len(call.args)
    plain = not any(isinstance(each, ast.Starred) for each in call.args)
    return call.args[place] if plain and place < len(call.args) else None


def _defaults(function: Function) -> Iterator[tuple[str, ast.expr]]:
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args)]
    yield from zip(reversed(names), reversed(given.defaults), strict=False)
    for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        if default is not None:
            yield each.arg, default


def _mapping(node: ast.expr, reader: _Reader) -> tuple[ast.expr, _Reader] | None:
    """The dictionary a node stands for, written as `{...}` or `dict(...)`."""
    if _is_mapping(node):
        return node, reader
    if reader.depth <= 0:
        return None
    if isinstance(node, ast.Call):
        returned = _returned(dotted(node.func), reader)
        return _mapping(*returned) if returned is not None else None
    bound = _bound(dotted(node), reader) if dotted(node) else None
    return _mapping(*bound) if bound is not None else None


def _entry(node: ast.expr, name: str, reader: _Reader) -> Origin | None:
    found = _mapping(node, reader)
    if found is None:
        return None
    held, there = found
    if isinstance(held, ast.Call):
        return next((_follow(each.value, there) for each in held.keywords if each.arg == name), None)
    if not isinstance(held, ast.Dict):
        return None
    last: Origin | None = None
    for key, value in zip(held.keys, held.values, strict=True):
        if key is None:
            last = _entry(value, name, there.deeper()) or last
        elif isinstance(key, ast.Constant) and key.value == name:
            last = _follow(value, there.deeper())
    return last


def _imported(head: str, module: Module) -> tuple[Module, str] | None:
    """The module of the project a name was imported from, and the member; nothing of a library."""
    folder = Path(module.file).parent
    if head in module.relative:
        level, package, member = module.relative[head]
        base = folder.parents[level - 2] if level > 1 else folder
        parts = [*package.split("."), member] if package else [member]
        return _file(base, parts)
    meant = module.imports.get(head, "")
    roots = [folder, *list(folder.parents)[:3], *(each / "src" for each in list(folder.parents)[:3])]
    return next((found for root in roots if meant and (found := _file(root, meant.split(".")))), None)


def _file(base: Path, parts: list[str]) -> tuple[Module, str] | None:
    for end in (len(parts), len(parts) - 1):
        path = base.joinpath(*parts[:end])
        for file in (path.with_suffix(".py") if end else path, path / "__init__.py"):
            if file.is_file():
                return read_module(str(file)), ".".join(parts[end:])
    return None
