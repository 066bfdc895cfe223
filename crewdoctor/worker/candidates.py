"""Crews a module offers: objects, `@CrewBase` classes, functions that return one, classes that build one."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from crewdoctor.worker.filling import arguments_for, missing
from crewdoctor.worker.found import Candidate, Found
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.source_place import defined_at

Inputs = Mapping[str, Any]
_BUILDERS = ("crew", "build_crew", "create_crew", "make_crew", "get_crew", "setup_crew", "_crew", "_build_crew")
_RUNNERS = ("kickoff", "run", "start", "execute", "main", "__call__")
_RUNS = frozenset({"run", "kickoff", "start", "execute", "train", "test", "main", "replay", "launch"})


def objects(namespace: Mapping[str, Any]) -> list[Candidate]:
    """Crews that stand in the module, each once under all its names."""
    from crewai import Crew

    names: dict[int, list[str]] = {}
    for name, held in namespace.items():
        if isinstance(held, Crew):
            names.setdefault(id(held), []).append(name)
    return [_object(tuple(each), namespace[each[0]]) for each in names.values()]


def _object(names: tuple[str, ...], crew: Any) -> Candidate:
    return Candidate(names, "module", lambda: Found(crew, "module", names[0]))


def crew_classes(namespace: Mapping[str, Any], module: str, inputs: Inputs) -> list[Candidate]:
    """`@CrewBase` classes: those of the module, else those it imports."""
    found = {name: held for name, held in namespace.items() if is_crew_class(held) and hasattr(held, "crew")}
    own = {name: held for name, held in found.items() if held.__module__ == module}
    chosen: dict[int, tuple[list[str], Any]] = {}
    for name, held in (own or found).items():
        chosen.setdefault(id(held), ([], held))[0].append(name)
    return [
        Candidate(tuple(names), "crewbase", _of_class(held, names[0], inputs), _invents(held, inputs))
        for names, held in chosen.values()
    ]


def is_crew_class(held: Any) -> bool:
    """Whether `held` is a class `@CrewBase` made."""
    return isinstance(held, type) and bool(getattr(held, "is_crew_class", False))


def _of_class(kind: Any, name: str, inputs: Inputs) -> Callable[[], Found]:
    def make() -> Found:
        if not callable(getattr(kind, "crew", None)):
            raise TargetDoesNotLoad("no_crew", f"@CrewBase class `{name}` has no method `crew`", "add one")
        made = arguments_for(kind, name, inputs)
        built = call(kind(*made.positional, **made.named).crew, f"{name}().crew", inputs)
        made_up = {**made.made_up(name), **built.made_up}
        return Found(built.crew, "crewbase", name, made_up=made_up, notes=(*made.note(name), *built.notes))

    return make


def factories(namespace: Mapping[str, Any], module: str, inputs: Inputs) -> list[Candidate]:
    """Functions of the module that return a Crew: by their annotation, else by their name."""
    own = [
        (name, held)
        for name, held in namespace.items()
        if inspect.isfunction(held) and (not module or held.__module__ == module)
    ]
    annotated = [(name, held) for name, held in own if _returns_crew(held)]
    guessed = [(name, held) for name, held in own if _sounds_like_crew(name, held)]
    return [
        Candidate((name,), "factory", _of_function(held, name, inputs), _invents(held, inputs))
        for name, held in annotated or guessed
    ]


def _of_function(held: Any, name: str, inputs: Inputs) -> Callable[[], Found]:
    return lambda: call(held, name, inputs)


def _invents(function: Any, inputs: Inputs) -> tuple[str, ...]:
    return tuple(each.name for each in missing(function, inputs))


def _returns_crew(function: Any) -> bool:
    held = getattr(function, "__annotations__", {}).get("return")
    text = held if isinstance(held, str) else getattr(held, "__name__", "")
    return text.strip("'\"").rpartition(".")[2] == "Crew"


def _sounds_like_crew(name: str, function: Any) -> bool:
    """`build_crew`, `make_crew`, `crew`: unannotated, and not something that runs one."""
    parts = name.lower().split("_")
    annotated = "return" in getattr(function, "__annotations__", {})
    return "crew" in parts and not annotated and not _RUNS & set(parts)


def plain_classes(namespace: Mapping[str, Any], module: str, inputs: Inputs) -> list[Candidate]:
    """Classes of the module, no `@CrewBase` on them, that have a method which builds a crew."""
    return [
        Candidate((name,), "class", of_plain_class(held, name, inputs), _invents(held, inputs))
        for name, held in namespace.items()
        if isinstance(held, type)
        and held.__module__ == module
        and not is_crew_class(held)
        and any(callable(getattr(held, each, None)) for each in _BUILDERS)
    ]


def of_plain_class(kind: Any, name: str, inputs: Inputs) -> Callable[[], Found]:
    """How to get the crew of a class that is no `@CrewBase` class."""

    def make() -> Found:
        made = arguments_for(kind, name, inputs)
        built = crew_of(kind(*made.positional, **made.named), f"{name}()", inputs)
        made_up = {**made.made_up(name), **built.made_up}
        return Found(built.crew, "class", name, built.inputs, made_up, (*made.note(name), *built.notes))

    return make


def crew_of(held: Any, name: str, inputs: Inputs) -> Found:
    """The crew an object of the user's holds or builds. Raises TargetDoesNotLoad; what a kickoff raises passes."""
    from crewai import Crew

    crews = [each for each in getattr(held, "__dict__", {}).values() if isinstance(each, Crew)]
    if len({id(each) for each in crews}) == 1:
        return Found(crews[0], "class", name)
    for method in (*_BUILDERS, *_RUNNERS):
        if callable(getattr(held, method, None)):
            return call(getattr(held, method), f"{name}.{method}", inputs)
    raise TargetDoesNotLoad(
        "no_such_name",
        f"`{name}` is a {type(held).__name__}, not a crew",
        "name a Crew, a @CrewBase class, a Flow or a function that returns a Crew",
        usage=True,
    )


def call(function: Any, name: str, inputs: Inputs) -> Found:
    """Call a factory. Raises TargetDoesNotLoad when it needs arguments or returns something else."""
    from crewai import Crew

    if type(function).__module__.startswith(("click", "typer")):
        function = (
            getattr(function, "callback", None) or function
        )  # the command reads the command line, its function not
    made = arguments_for(function, name, inputs)
    held = function(*made.positional, **made.named)
    if inspect.iscoroutine(held):
        held = asyncio.run(held)
    crew = held if isinstance(held, Crew) else getattr(held, "crew", None)
    if callable(crew) and is_crew_class(type(held)):
        crew = crew()
    if isinstance(crew, Crew):
        return Found(crew, "factory", name, made_up=made.made_up(name), notes=made.note(name))
    raise TargetDoesNotLoad(
        "no_crew",
        f"`{name}()` returned {type(held).__name__}, not a Crew",
        "return the Crew, or name another function",
        location=defined_at(function),
    )
