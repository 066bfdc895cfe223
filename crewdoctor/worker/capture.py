"""Kickoffs intercepted: a script that runs its crew at import hands the crew over instead."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_KICKOFFS = (
    "kickoff",
    "kickoff_async",
    "kickoff_for_each",
    "kickoff_for_each_async",
    "akickoff",
    "akickoff_for_each",
    "train",
    "test",
    "replay",
)
_FOREIGN = ("kickoff", "kickoff_async", "akickoff")


@dataclass(frozen=True, slots=True)
class Captured:
    """One kickoff that was asked for."""

    crew: Any
    """The crew; None where something else was kicked off."""
    method: str
    inputs: dict[str, Any]
    other: Any = None
    """The Flow or Agent that was kicked off without a crew."""
    prompt: str = ""
    """What an Agent kicked off without a crew was asked."""


class KickoffCaptured(BaseException):
    """Ends the import of a script at its kickoff."""

    def __init__(self, captured: Captured) -> None:
        super().__init__(f"{captured.method} was intercepted")
        self.captured = captured

    def __reduce__(self) -> Any:
        """Out of a child process comes that there was a kickoff, not the live crew."""
        return KickoffCaptured, (Captured(None, self.captured.method, {}),)


@dataclass(slots=True)
class Interception:
    """Kickoffs seen so far, so that one caught by a `BaseException` handler is not lost."""

    seen: list[Captured] = field(default_factory=list)
    flows_run: bool = False
    """Whether a Flow's kickoff really starts it: its own methods run up to the crew's."""
    originals: dict[tuple[type, str], Any] = field(default_factory=dict)

    def original(self, thing: Any, name: str) -> Any:
        """The method of `thing` as it was, unbound."""
        kind = next(kind for kind in type(thing).__mro__ if (kind, name) in self.originals)
        return self.originals[kind, name]


@contextmanager
def intercepted() -> Iterator[Interception]:
    """Within, every kickoff raises KickoffCaptured and is listed."""
    interception = Interception()
    undo: list[Callable[[], None]] = []
    for kind, names, what in _targets():
        for name in names:
            original = kind.__dict__.get(name)
            if original is None:
                continue
            interception.originals[kind, name] = original
            setattr(kind, name, _stand_in(original, name, interception, what))
            undo.append(functools.partial(setattr, kind, name, original))
    try:
        yield interception
    finally:
        for each in undo:
            each()


def _targets() -> Iterator[tuple[type, tuple[str, ...], str]]:
    from crewai import Agent, Crew

    yield Crew, _KICKOFFS, "crew"
    yield Agent, _FOREIGN, "agent"
    try:
        from crewai.flow.flow import Flow
    except ImportError:
        return
    for kind in Flow.__mro__:
        if kind.__module__.startswith("crewai.flow"):
            yield kind, _FOREIGN, "flow"


def _stand_in(original: Any, name: str, interception: Interception, what: str) -> Any:
    @functools.wraps(original)
    def stand_in(self: Any, *args: Any, **kwargs: Any) -> Any:
        if what == "flow" and interception.flows_run:
            return original(self, *args, **kwargs)
        found = Captured(
            crew=self if what == "crew" else None,
            method=name,
            inputs={} if what == "agent" else _inputs(name, args, kwargs),
            other=None if what == "crew" else self,
            prompt=_prompt(args, kwargs) if what == "agent" else "",
        )
        interception.seen.append(found)
        raise KickoffCaptured(found)

    return stand_in


def _inputs(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """What the script gives its crew; of several runs (`kickoff_for_each`) the first."""
    position = {"train": 2, "test": 2, "replay": 1}.get(name, 0)
    held = kwargs.get("inputs", args[position] if len(args) > position else None)
    if isinstance(held, (list, tuple)):
        held = held[0] if held else None
    return dict(held) if isinstance(held, dict) else {}


def _prompt(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    held = args[0] if args else kwargs.get("messages", "")
    if isinstance(held, list):
        held = held[-1].get("content", "") if held and isinstance(held[-1], dict) else ""
    return str(held)
