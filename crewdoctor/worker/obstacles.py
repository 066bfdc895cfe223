"""What code does to the process it is imported into, survived: prompts, a server that never returns, os._exit."""

from __future__ import annotations

import builtins
import functools
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from crewdoctor.model.setting import Location
from crewdoctor.worker.source_place import place, users_frames

_ENDS = ("_exit", "abort")
_REPLACES = ("execv", "execve")
_serving_refused: list[int] = []
"""Processes in which a server must not start now."""
_installed = threading.Event()
_ASKED_ENOUGH = 20
"""Prompts after which a program that takes no end of input for an answer is stopped."""


class EndsProcess(BaseException):
    """The target would end or replace the process it is loaded into; the message is what it calls."""


class StartsServer(BaseException):
    """The target would serve requests from here on; the message is where."""


class KeepsAsking(BaseException):
    """The target asks again and again, though there is nobody to answer."""


@dataclass(slots=True)
class Obstacles:
    """What was in the way."""

    prompts: list[tuple[str, Location | None]] = field(default_factory=list)
    """Questions asked on standard input, and the user's line that asks."""
    folder: str = ""
    """The working folder before the target was loaded."""


@contextmanager
def survived() -> Iterator[Obstacles]:
    """Within, `input()` finds no answer, no server starts, and nothing ends or replaces this process."""
    obstacles = Obstacles(folder=os.getcwd())  # noqa: PTH109 - text is what is compared
    undo: list[Callable[[], object]] = []
    mine = os.getpid()
    for name in _ENDS + _REPLACES:
        original = getattr(os, name)
        setattr(os, name, _refusing(original, name, mine))
        undo.append(functools.partial(setattr, os, name, original))
    if not _installed.is_set():
        sys.addaudithook(_heard)
        _installed.set()
    _serving_refused.append(mine)
    undo.append(_serving_refused.pop)
    asking = _asking(obstacles)
    click = sys.modules.get("click.termui")  # it keeps a reference of its own
    for holder, name in ((builtins, "input"), (click, "visible_prompt_func"), (click, "hidden_prompt_func")):
        if hasattr(holder, name):
            undo.append(functools.partial(setattr, holder, name, getattr(holder, name)))
            setattr(holder, name, asking)
    try:
        yield obstacles
    finally:
        for each in undo:
            each()


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    """CPython's own audit event of `bind`: whatever framework serves, it comes through here."""
    if event != "socket.bind" or os.getpid() not in _serving_refused:
        return
    bound, address = arguments[:2]
    if not isinstance(address, tuple) or getattr(bound, "type", 0) & 0xF != socket.SOCK_STREAM or not address[1]:
        return
    raise StartsServer(f"{address[0] or '*'}:{address[1]}")


def _refusing(original: Any, name: str, mine: int) -> Any:
    @functools.wraps(original)
    def refusing(*args: Any) -> Any:
        if os.getpid() != mine:
            return original(*args)  # a child the target forked ends as it likes
        raise EndsProcess(f"os.{name}")

    return refusing


def _asking(obstacles: Obstacles) -> Any:
    def asking(prompt: Any = "", /) -> str:
        frames = users_frames(sys._getframe(1), most=1)
        obstacles.prompts.append((str(prompt).strip(), place(*frames[0]) if frames else None))
        if len(obstacles.prompts) > _ASKED_ENOUGH:
            raise KeepsAsking
        raise EOFError("EOF when reading a line")

    return asking
