"""How a source starts its crew several times at once: by threads, a loop, processes; and on how large a pool."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from crewdoctor.model.options import STYLES
from crewdoctor.scan.module import Module, dotted, read_module

THREADS, ASYNC_EACH, AKICKOFF_EACH, GATHER, PROCESSES = STYLES
_TOGETHER = frozenset({"gather", "create_task", "as_completed", "TaskGroup", "ensure_future", "wait"})
_THREADS = frozenset({"ThreadPoolExecutor", "ThreadPool", "Thread"})
_PROCESSES = frozenset({"ProcessPoolExecutor", "Pool", "Process"})
_POOLS = frozenset({"ThreadPoolExecutor", "ThreadPool"})
_MOST_FILES = 40


@dataclass(frozen=True, slots=True)
class Kickoffs:
    """One place that starts the crew many times."""

    style: str
    file: str
    line: int
    source: str
    pool: str
    """Who bounds it: `default` (the loop's, or an executor without a size), `sized`, `unknown` size, empty: nobody."""
    workers: int = 0
    """Of a `sized` pool."""


def kickoffs_in(file: str) -> Kickoffs | None:
    """The way the module starts its crew many times, else its neighbours in the same folder; None for no such place."""
    near = sorted(Path(file).parent.glob("*.py"))[:_MOST_FILES]
    for path in dict.fromkeys((file, *(str(each) for each in near))):
        found = _in_module(read_module(path), path)
        if found is not None:
            return found
    return None


def _in_module(module: Module, file: str) -> Kickoffs | None:
    text = "\n".join(module.lines)
    if "kickoff" not in text:
        return None
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    named = {id(call): _last(call.func) for call in calls}
    style, place = _style(calls, named)
    if place is None:
        return None
    pool, workers = _pool(module, calls, named, style)
    return Kickoffs(style, file, place.lineno, module.source(place.lineno), pool, workers)


def _last(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else dotted(function)


def _style(calls: list[ast.Call], named: dict[int, str]) -> tuple[str, ast.expr | None]:
    mentioned = _mentioned(calls, named)
    together = bool(_TOGETHER & mentioned.keys())
    handed_over = bool({"to_thread", "run_in_executor"} & mentioned.keys())
    ways = (
        ("kickoff_for_each_async", ASYNC_EACH, True),
        ("akickoff_for_each", AKICKOFF_EACH, True),
        ("akickoff", AKICKOFF_EACH, together),
        ("kickoff_async", GATHER, together),
        ("kickoff", GATHER, together and handed_over),
        ("kickoff", PROCESSES, bool(_PROCESSES & mentioned.keys())),
        ("kickoff", THREADS, bool(_THREADS & mentioned.keys())),
    )
    return next(((style, mentioned[name]) for name, style, holds in ways if holds and name in mentioned), ("", None))


def _mentioned(calls: list[ast.Call], named: dict[int, str]) -> dict[str, ast.expr]:
    """Names that are called, or handed over to be called (`to_thread(crew.kickoff, ...)`), and where first."""
    found: dict[str, ast.expr] = {}
    for call in calls:
        found.setdefault(named[id(call)], call)
        for given in (*call.args, *(each.value for each in call.keywords)):
            if isinstance(given, (ast.Attribute, ast.Name)):
                found.setdefault(_last(given), given)
    return found


def _pool(module: Module, calls: list[ast.Call], named: dict[int, str], style: str) -> tuple[str, int]:
    """Who bounds the kickoffs, and by how many."""
    if style == PROCESSES:
        return "", 0
    made = [call for call in calls if named[id(call)] in _POOLS]
    if style == THREADS:
        return _size(module, made[0]) if made else ("", 0)
    given = [call for call in calls if named[id(call)] == "set_default_executor"]
    if not given:
        return ("unknown", 0) if any(named[id(call)] == "run_in_executor" for call in calls) else ("default", 0)
    return _size(module, _made(module, given[0].args[0]) if given[0].args else None)


def _made(module: Module, node: ast.expr) -> ast.Call | None:
    if isinstance(node, ast.Name):
        node = module.assigned.get(node.id, node)
    return node if isinstance(node, ast.Call) and _last(node.func) in _POOLS else None


def _size(module: Module, call: ast.Call | None) -> tuple[str, int]:
    if call is None:
        return "unknown", 0
    sizes = [*call.args[:1], *(each.value for each in call.keywords if each.arg in {"max_workers", "processes"})]
    if not sizes:
        return "default", 0
    size = sizes[0]
    if isinstance(size, ast.Name):
        size = module.assigned.get(size.id, size)
    if isinstance(size, ast.Constant) and size.value is None:
        return "default", 0
    return ("sized", size.value) if isinstance(size, ast.Constant) and isinstance(size.value, int) else ("unknown", 0)
