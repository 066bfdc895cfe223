"""What a tool's code can wait for: its function, and the functions of the user's own modules it calls.

Calls are followed by name, two levels deep: methods of the same class, functions of the same module, and functions
imported from modules that lie in the project.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crewdoctor.scan.calls import Waiting, waiting_calls
from crewdoctor.scan.module import Function, Module, calls_in, dotted, read_module
from crewdoctor.scan.repeats import Repeats, of_decorators
from crewdoctor.scan.values import Scope

LEVELS = 3
_MOST_FUNCTIONS = 60


@dataclass(frozen=True, slots=True)
class Known:
    """What the caller knows beyond the source."""

    live: Callable[[str], Mapping[str, Any]] = lambda _file: {}
    """Live globals of a file's module, empty where it is not loaded."""
    closure: Mapping[str, Any] = field(default_factory=dict)
    """Free variables of the function the walk starts from."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Live attributes of the tool."""
    search: tuple[str, ...] = ()
    """Folders modules are looked for in."""


def reachable(file: str, line: int, known: Known) -> tuple[Waiting, ...]:
    """Calls that can wait, from the function at `file:line` on; each line once."""
    module = read_module(file)
    start = module.function_at(line)
    if start is None:
        return ()
    found: dict[tuple[str, int, str], Waiting] = {}
    for here, function, level, repeats in _walk(module, start, known):
        extra = known.closure if level == 0 else {}
        scope = Scope(here, function, live={**known.live(here.file), **extra}, attributes=known.attributes)
        for each in waiting_calls(here, function, scope):
            place = (each.location.file, each.location.line, each.call)
            found.setdefault(place, replace(each, repeats=repeats.around(each.repeats)))
    return tuple(found.values())


def functions_at(file: str, line: int, known: Known) -> tuple[tuple[Module, Function], ...]:
    """The functions the walk visits, the first one first."""
    module = read_module(file)
    start = module.function_at(line)
    return () if start is None else tuple((here, function) for here, function, *_ in _walk(module, start, known))


def _walk(module: Module, start: Function, known: Known) -> Iterator[tuple[Module, Function, int, Repeats]]:
    waiting: list[tuple[Module, Function, int, Repeats]] = [(module, start, 0, of_decorators(module, start))]
    seen: set[tuple[str, int]] = set()
    while waiting and len(seen) < _MOST_FUNCTIONS:
        here, function, level, repeats = waiting.pop(0)
        if (here.file, function.lineno) in seen:
            continue
        seen.add((here.file, function.lineno))
        yield here, function, level, repeats
        if level < LEVELS:
            waiting += [
                (*each, level + 1, repeats.around(of_decorators(*each))) for each in _called(here, function, known)
            ]


def _called(module: Module, function: Function, known: Known) -> Iterator[tuple[Module, Function]]:
    for call in calls_in(function):
        names = [dotted(call.func), *(dotted(argument) for argument in call.args)]  # pool.submit(fetch, url)
        for name in names:
            found = _function(module, function, name, known) if name else None
            if found is not None:
                yield found


def _function(module: Module, function: Function, name: str, known: Known) -> tuple[Module, Function] | None:
    if name.startswith(("self.", "cls.")) and name.count(".") == 1:
        owner = module.class_of(function)
        method = name.partition(".")[2]
        for each in owner.body if owner is not None else []:
            if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)) and each.name == method:
                return module, each
        return None
    if name in module.functions:
        return module, module.functions[name]
    head, _, rest = name.partition(".")
    file, member = _imported(module, head, known)
    if not file or (rest and member):
        return None
    other = read_module(file)
    meant = other.functions.get(rest or member)
    return (other, meant) if meant is not None else None


def _imported(module: Module, head: str, known: Known) -> tuple[str, str]:
    """The file of the user's own a name was imported from, and the member; `("", "")` for anybody else's."""
    if head in module.relative:
        level, package, member = module.relative[head]
        package_folder = Path(module.file).parents[level - 1]
        base = package_folder.joinpath(*package.split(".")) if package else package_folder
        return _file(base, member)
    meant = module.imports.get(head, "")
    for folder in (str(Path(module.file).parent), *known.search) if meant else ():
        parts = meant.split(".")
        found = _file(Path(folder).joinpath(*parts[:-1]), parts[-1])
        if found[0]:
            return found
    return "", ""


def _file(base: Path, member: str) -> tuple[str, str]:
    """`base/member.py` is the module itself; `base.py` or `base/__init__.py` hold the member."""
    if (base / f"{member}.py").is_file():
        return str(base / f"{member}.py"), ""
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return str(path), member
    return "", ""
