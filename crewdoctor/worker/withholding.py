"""While the methods of a Flow run to see which crew they start, nothing is sent and nothing is spent.

A connection, a process and a question to a model each end the run with Withheld, which says what was asked for and by
which method. CPython's audit events see the first two, whatever library makes them; models are asked through the
`call` and `acall` of crewai's own base class.
"""

from __future__ import annotations

import ctypes.util
import functools
import platform
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from crewdoctor.model.setting import Location
from crewdoctor.worker.source_place import place, users_frames

_PROCESSES = frozenset({"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"})
_OF_THE_MACHINE = frozenset(str(module.__file__) for module in (platform, ctypes.util, uuid))
_active: list[Watch] = []
_installed = threading.Event()


class Withheld(BaseException):
    """Something that does not happen while a target is loaded; the message is what."""

    def __init__(self, what: str, where: Location | None) -> None:
        super().__init__(what)
        self.what, self.where = what, where


@dataclass(slots=True)
class Watch:
    """What was withheld so far, in order: a handler of the user's may have swallowed the exception."""

    seen: list[Withheld] = field(default_factory=list)
    foreign: frozenset[int] = field(default_factory=lambda: frozenset(_others()))
    """Threads that ran before: theirs is not this run's doing."""

    def withhold(self, what: str, frame: Any) -> None:
        """Note and raise. Raises Withheld, always."""
        frames = users_frames(frame, most=1)
        stop = Withheld(what, place(*frames[0]) if frames else None)
        self.seen.append(stop)
        raise stop


def _others() -> Iterator[int]:
    mine = threading.get_ident()
    return (each.ident for each in threading.enumerate() if each.ident is not None and each.ident != mine)


@contextmanager
def withheld() -> Iterator[Watch]:
    """Withhold within. The audit hook itself stays, silent: CPython has no way to take one back."""
    watch = Watch()
    if not _installed.is_set():
        sys.addaudithook(_heard)
        _installed.set()
    undo = list(_without_models(watch))
    _active.append(watch)
    try:
        yield watch
    finally:
        _active.remove(watch)
        for each in undo:
            each()


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if not _active or (event not in _PROCESSES and event not in ("socket.connect", "socket.getaddrinfo")):
        return
    watch = _active[-1]
    what = _what(event, arguments)
    if what and event in _PROCESSES and _asks_the_machine():
        return
    if what and threading.get_ident() not in watch.foreign:
        watch.withhold(what, sys._getframe(1))


def _asks_the_machine() -> bool:
    """Whether Python itself looks at the machine (`uname`, `ldconfig`), as SDKs let it for a header."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename in _OF_THE_MACHINE:
            return True
        frame = frame.f_back
    return False


def _what(event: str, arguments: tuple[Any, ...]) -> str:
    if event in _PROCESSES:
        executable = arguments[0]
        name = executable.decode("utf-8", "replace") if isinstance(executable, bytes) else str(executable)
        return f"starts the process {Path(name.split()[0]).name if name.split() else name}"
    address = arguments[1] if event == "socket.connect" else arguments[:2]
    if not isinstance(address, tuple) or len(address) < 2:  # noqa: PLR2004 - a path of AF_UNIX: this machine's own
        return ""
    host, port = address[:2]
    if host is None:
        return ""
    return f"contacts {host.decode() if isinstance(host, bytes) else host}:{port}"


def _without_models(watch: Watch) -> Iterator[Callable[[], None]]:
    try:
        from crewai.llms.base_llm import BaseLLM
    except ImportError:
        return
    kinds: set[type] = {BaseLLM, *_below(BaseLLM)}
    for kind in kinds:
        for name in ("call", "acall"):
            original = kind.__dict__.get(name)
            if original is not None:
                type.__setattr__(kind, name, _refusing(original, watch))
                yield functools.partial(type.__setattr__, kind, name, original)


def _below(kind: type) -> Iterator[type]:
    held: list[type] = kind.__subclasses__()
    for each in held:
        yield each
        yield from _below(each)


def _refusing(original: Any, watch: Watch) -> Any:
    @functools.wraps(original)
    def refusing(self: Any, *_args: Any, **_kwargs: Any) -> None:
        watch.withhold(f"asks the model {getattr(self, 'model', type(self).__name__)}", sys._getframe(1))

    return refusing
