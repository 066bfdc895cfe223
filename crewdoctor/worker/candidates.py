"""Crews a module offers: objects, `@CrewBase` classes, functions that need no argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crewdoctor.model.setting import Location
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.source_place import place


@dataclass(frozen=True, slots=True)
class Candidate:
    """One crew and the names the module gives it."""

    names: tuple[str, ...]
    shape: str
    """`module`, `crewbase`, `factory`."""
    make: Callable[[], Any]


def offered(namespace: dict[str, Any], module: str) -> list[Candidate]:
    """Crews of a module, the most explicit kind alone: objects, else `@CrewBase` classes, else factories."""
    for kind in (_objects, _classes, _factories):
        found = kind(namespace, module)
        if found:
            return found
    return []


def named(namespace: dict[str, Any], name: str) -> Candidate:
    """The crew called `name`. Raises TargetDoesNotLoad when there is none, or it is none."""
    from crewai import Crew

    if name not in namespace:
        raise _no_such_name(namespace, name)
    held = namespace[name]
    if isinstance(held, Crew):
        return Candidate((name,), "module", lambda: held)
    if isinstance(held, type) and getattr(held, "is_crew_class", False):
        return Candidate((name,), "crewbase", lambda: _crew_of_class(held))
    if callable(held):
        return Candidate((name,), "factory", lambda: call(held, name))
    raise TargetDoesNotLoad(
        "no_such_name",
        f"`{name}` is a {type(held).__name__}, not a crew",
        "name a Crew, a @CrewBase class or a function that returns a Crew",
        usage=True,
    )


def _no_such_name(namespace: dict[str, Any], name: str) -> TargetDoesNotLoad:
    names = [each for kind in (_objects, _classes, _factories) for one in kind(namespace, "") for each in one.names]
    way_out = f"it has {', '.join(f'`{each}`' for each in names)}" if names else "it holds no crew at all"
    return TargetDoesNotLoad("no_such_name", f"the target has no `{name}`", way_out, usage=True)


def _objects(namespace: dict[str, Any], _module: str) -> list[Candidate]:
    from crewai import Crew

    names: dict[int, list[str]] = {}
    for name, held in namespace.items():
        if isinstance(held, Crew):
            names.setdefault(id(held), []).append(name)
    return [
        Candidate(tuple(each), "module", lambda held=namespace[each[0]]: held)  # type: ignore[misc]
        for each in names.values()
    ]


def _classes(namespace: dict[str, Any], module: str) -> list[Candidate]:
    found = {
        name: held
        for name, held in namespace.items()
        if isinstance(held, type) and getattr(held, "is_crew_class", False) and hasattr(held, "crew")
    }
    own = {name: held for name, held in found.items() if held.__module__ == module}
    chosen: dict[int, tuple[list[str], Any]] = {}
    for name, held in (own or found).items():
        chosen.setdefault(id(held), ([], held))[0].append(name)
    return [
        Candidate(tuple(names), "crewbase", lambda held=held: _crew_of_class(held))  # type: ignore[misc]
        for names, held in chosen.values()
    ]


def _crew_of_class(kind: Any) -> Any:
    if not callable(getattr(kind, "crew", None)):
        raise TargetDoesNotLoad("no_crew", f"@CrewBase class `{kind.__name__}` has no method `crew`", "add one")
    _need_no_argument(kind, kind.__name__)
    return call(kind().crew, f"{kind.__name__}().crew")


def _factories(namespace: dict[str, Any], module: str) -> list[Candidate]:
    own = [
        (name, held)
        for name, held in namespace.items()
        if inspect.isfunction(held)
        and (not module or held.__module__ == module)
        and not inspect.iscoroutinefunction(held)
    ]
    annotated = [(name, held) for name, held in own if _returns_crew(held)]
    guessed = [(name, held) for name, held in own if _sounds_like_crew(name, held)]
    return [
        Candidate((name,), "factory", lambda held=held, name=name: call(held, name))  # type: ignore[misc]
        for name, held in annotated or guessed
    ]


def _returns_crew(function: Any) -> bool:
    held = getattr(function, "__annotations__", {}).get("return")
    text = held if isinstance(held, str) else getattr(held, "__name__", "")
    return text.strip("'\"").rpartition(".")[2] == "Crew"


def _sounds_like_crew(name: str, function: Any) -> bool:
    """`build_crew`, `make_crew`, `crew`: unannotated, and not something that runs one."""
    parts = name.lower().split("_")
    runs = {"run", "kickoff", "start", "execute", "train", "test", "main", "replay", "launch"}
    annotated = "return" in getattr(function, "__annotations__", {})
    return "crew" in parts and not annotated and not runs & set(parts) and not _required(function)


def call(function: Any, name: str) -> Any:
    """Call a factory. Raises TargetDoesNotLoad when it needs arguments or returns something else."""
    from crewai import Crew

    _need_no_argument(function, name)
    held = function()
    if isinstance(held, Crew):
        return held
    if isinstance(getattr(held, "crew", None), Crew):
        return held.crew
    raise TargetDoesNotLoad(
        "no_crew",
        f"`{name}()` returned {type(held).__name__}, not a Crew",
        "return the Crew, or name another function",
        location=_where(function),
    )


def _need_no_argument(function: Any, name: str) -> None:
    required = _required(function)
    if required:
        raise TargetDoesNotLoad(
            "missing_argument",
            f"`{name}` needs {'arguments' if len(required) > 1 else 'an argument'}: {', '.join(required)}",
            "give defaults, or add a function without parameters that returns the Crew, and name that one",
            location=_where(function),
        )


def _required(function: Any) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    spread = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in parameters if each.default is each.empty and each.kind not in spread]


def _where(function: Any) -> Location | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return place(code.co_filename, code.co_firstlineno, code.co_name) if code is not None else None
