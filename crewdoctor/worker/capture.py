"""Kickoffs intercepted: a script that runs its crew at import hands the crew over instead."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
    other: str = ""
    """Class name of the Flow or Agent that was kicked off without a crew."""


class KickoffCaptured(BaseException):
    """Ends the import of a script at its kickoff."""

    def __init__(self, captured: Captured) -> None:
        super().__init__(f"{captured.method} was intercepted")
        self.captured = captured


@contextmanager
def intercepted() -> Iterator[list[Captured]]:
    """Within, every kickoff raises KickoffCaptured and is listed, so that a `BaseException` caught is not lost."""
    seen: list[Captured] = []
    undo: list[Callable[[], None]] = []
    for kind, names, is_crew in _targets():
        for name in names:
            original = kind.__dict__.get(name)
            if original is None:
                continue
            setattr(kind, name, _stand_in(original, name, seen, is_crew=is_crew))
            undo.append(functools.partial(setattr, kind, name, original))
    try:
        yield seen
    finally:
        for each in undo:
            each()


def _targets() -> Iterator[tuple[type, tuple[str, ...], bool]]:
    from crewai import Agent, Crew

    yield Crew, _KICKOFFS, True
    yield Agent, _FOREIGN, False
    try:
        from crewai.flow.flow import Flow
    except ImportError:
        return
    for kind in Flow.__mro__:
        if kind.__module__.startswith("crewai.flow"):
            yield kind, _FOREIGN, False


def _stand_in(original: Any, name: str, seen: list[Captured], *, is_crew: bool) -> Any:
    @functools.wraps(original)
    def stand_in(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = Captured(
            crew=self if is_crew else None,
            method=name,
            inputs=_inputs(name, args, kwargs),
            other="" if is_crew else type(self).__name__,
        )
        seen.append(found)
        raise KickoffCaptured(found)

    return stand_in


def _inputs(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """What the script gives its crew; of several runs (`kickoff_for_each`) the first."""
    position = {"train": 2, "test": 2, "replay": 1}.get(name, 0)
    held = kwargs.get("inputs", args[position] if len(args) > position else None)
    if isinstance(held, (list, tuple)):
        held = held[0] if held else None
    return dict(held) if isinstance(held, dict) else {}
