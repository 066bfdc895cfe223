"""Where the crew's objects were built: the user's frames around each constructor, noted while the target loads."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from crewdoctor.model.setting import SettingValue
from crewdoctor.worker.dropped import dropped
from crewdoctor.worker.source_place import users_frames

_PARTS = (
    *(("crewai.mcp", f"MCPServer{way}") for way in ("HTTP", "SSE", "Stdio")),
    ("crewai.agent.planning_config", "PlanningConfig"),
    ("crewai.tools", "BaseTool"),
    ("crewai.llms.base_llm", "BaseLLM"),
)
"""What else users build; the models last."""


@dataclass(slots=True)
class Built:
    """One construction."""

    kind: str
    frames: list[tuple[str, int, str]]
    """(file, line, function) of the user's own frames, innermost first."""
    keywords: tuple[str, ...]
    config: tuple[str, ...] = ()
    """Keys of the `config` mapping it was given: what a YAML file says."""
    dropped: dict[str, SettingValue] = field(default_factory=dict)
    """Keywords and keys of `config` that the built object does not hold."""
    positional: tuple[Any, ...] = ()
    given: dict[str, Any] = field(default_factory=dict, repr=False)
    """What it was called with, as it was called: enough to build another like it. Of models alone, and with the key."""


@dataclass(slots=True)
class Constructions:
    """What was built, by identity. The crew keeps its objects alive, so their ids stay theirs."""

    built: dict[int, Built] = field(default_factory=dict)
    crews: list[Any] = field(default_factory=list)
    """Every Crew, in order."""
    going: set[int] = field(default_factory=set)
    """Objects whose constructor is running: the outermost is the one somebody called."""

    def of(self, thing: Any) -> Built | None:
        """How `thing` was built, None when nobody looked (a copy, something crewai made)."""
        found = self.built.get(id(thing))
        return found if found is not None and found.kind == type(thing).__name__ else None

    def by_class(self, thing: Any, kind: Any) -> bool:
        """Whether `thing` was built by code of the class `kind` (its `@crew` method)."""
        found = self.of(thing)
        owners = {name for each in getattr(kind, "__mro__", ()) for name in vars(each)}
        file = getattr(sys.modules.get(getattr(kind, "__module__", "")), "__file__", None)
        return found is not None and any(file == where and name in owners for where, _, name in found.frames)


@contextmanager
def watched(constructions: Constructions | None = None) -> Iterator[Constructions]:
    """Within, constructors of crewai's agents, tasks, crews, LLMs and tools note who called them."""
    constructions = Constructions() if constructions is None else constructions
    undo = watch(constructions)
    try:
        yield constructions
    finally:
        for each in reversed(undo):
            each()


def watch(constructions: Constructions) -> list[Callable[[], None]]:
    """Note every construction from now on; what is returned undoes it, the last one first."""
    undo: list[Callable[[], None]] = []
    for kind in _kinds():
        original = kind.__dict__.get("__init__")
        type.__setattr__(kind, "__init__", _noting(kind.__init__, constructions))
        undo.append(functools.partial(_restore, kind, original))
    return undo


def _kinds() -> list[Any]:
    from crewai import Agent, Crew, Task

    kinds: list[Any] = [Agent, Crew, Task]
    for module, name in _PARTS:
        with suppress(ImportError, AttributeError):  # older crewai: one thing less is traced
            kinds.append(getattr(importlib.import_module(module), name))
    return [*kinds, *(_with_constructors(kinds[-1]) if kinds[-1].__name__ == "BaseLLM" else ())]


def _with_constructors(base: Any) -> list[Any]:
    """Classes of crewai with a constructor of theirs: what it hands on to `base` is not what the user wrote."""
    found: list[Any] = []
    for kind in base.__subclasses__():
        own = kind.__module__.partition(".")[0] == base.__module__.partition(".")[0]
        found += [kind] if own and "__init__" in kind.__dict__ else []
        found += _with_constructors(kind)
    return list(dict.fromkeys(found))


def _is_model(kind: type) -> bool:
    return any(each.__name__ == "BaseLLM" for each in kind.__mro__)


def _restore(kind: Any, original: Any) -> None:
    if original is None:
        type.__delattr__(kind, "__init__")
    else:
        type.__setattr__(kind, "__init__", original)


def _noting(original: Any, constructions: Constructions) -> Any:
    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it is one
        if id(self) in constructions.going:
            original(self, *args, **kwargs)
            return
        config = kwargs.get("config")
        with suppress(Exception):  # the user's object is built all the same
            constructions.built[id(self)] = Built(
                type(self).__name__,
                users_frames(sys._getframe(1)),
                tuple(kwargs),
                tuple(config) if isinstance(config, dict) else (),
            )
            if _is_model(type(self)):
                constructions.built[id(self)].positional = args
                constructions.built[id(self)].given = dict(kwargs)
        constructions.going.add(id(self))
        try:
            original(self, *args, **kwargs)
        finally:
            constructions.going.discard(id(self))
        with suppress(Exception):
            given = {**(config if isinstance(config, dict) else {}), **kwargs}
            constructions.built[id(self)].dropped = dropped(self, given)
        if type(self).__name__ == "Crew" and not any(self is each for each in constructions.crews):
            constructions.crews.append(self)

    return __init__
