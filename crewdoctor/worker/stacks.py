"""A thread's frames as locations, and what it waits for as its innermost calls tell."""

from __future__ import annotations

import linecache
import os
import sysconfig
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType

from crewdoctor.model.setting import Location
from crewdoctor.scan.statement import statement_at

MOST_FRAMES = 24
_INNERMOST = 6

Place = tuple[CodeType, int]
"""Code and the line it is at."""

_OURS = str(Path(__file__).resolve().parent.parent) + os.sep
_STANDARD = tuple(
    {str(Path(path).resolve()) + os.sep for name in ("stdlib", "platstdlib") if (path := sysconfig.get_path(name))}
)
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")

_WAITS = (
    # file, function (empty: any), what it waits for; the first that one of the innermost frames matches
    ("queue.py", "", "queue"),
    ("multiprocessing/queues.py", "", "queue"),
    ("subprocess.py", "", "process"),
    ("multiprocessing/popen_fork.py", "", "process"),
    ("asyncio/queues.py", "", "queue"),
    ("asyncio/locks.py", "", "lock"),
    ("asyncio/tasks.py", "sleep", "sleep"),
    ("asyncio/tasks.py", "wait_for", "lock"),
    ("asyncio/threads.py", "to_thread", "lock"),
    ("asyncio/subprocess.py", "", "process"),
    ("concurrent/futures/_base.py", "", "lock"),
    *(("threading.py", name, "") for name in ("run", "_bootstrap", "_bootstrap_inner")),  # where every thread begins
    ("threading.py", "", "lock"),
    ("ssl.py", "do_handshake", "tls"),
    ("ssl.py", "", "recv"),
    ("socket.py", "getaddrinfo", "dns"),
    ("socket.py", "create_connection", "connect"),
    ("socket.py", "readinto", "recv"),
)


@lru_cache(maxsize=4096)
def whose(filename: str) -> str:
    """`user`, `library`, `standard` or `ours`, by where a file lies."""
    path = os.path.realpath(filename)
    if filename.startswith("<"):
        return "standard"
    if path.startswith(_OURS):
        return "ours"
    if any(part in path for part in _INSTALLED):
        return "library"
    return "standard" if path.startswith(_STANDARD) else "user"


def places(frame: FrameType | None) -> Iterator[Place]:
    """From the innermost frame outwards."""
    while frame is not None:
        # A frame that another thread has just entered may be at no line yet.
        yield frame.f_code, frame.f_lineno or frame.f_code.co_firstlineno
        frame = frame.f_back


def described(stack: Iterable[Place]) -> tuple[list[Location], Location | None]:
    """The user's frames first, then the libraries', each innermost first, ours left out; and the innermost user one."""
    sorted_out: dict[str, list[Location]] = {"user": [], "library": [], "standard": [], "ours": []}
    for code, line in stack:
        kind = whose(code.co_filename)
        function = getattr(code, "co_qualname", code.co_name)
        whole = statement_at(code.co_filename, line) if kind == "user" else ""
        sorted_out[kind].append(Location(code.co_filename, line, function, source_of(code.co_filename, line), whole))
    user = sorted_out["user"]
    rest = [*sorted_out["library"], *sorted_out["standard"]] or ([] if user else sorted_out["ours"])
    return [*user, *rest][:MOST_FRAMES], (user[0] if user else None)


def source_of(filename: str, line: int) -> str:
    """The text of a line, stripped."""
    return linecache.getline(filename, line).strip()[:200]


def within_library(stack: list[Place]) -> bool:
    """Whether a library waits, and not the user's own line or the standard library it calls."""
    kinds = (whose(code.co_filename) for code, _ in stack)
    return next((kind for kind in kinds if kind != "standard"), "") == "library"


def waiting(stack: list[Place]) -> str:
    """What the innermost calls wait for, by their names; empty when those do not say.

    From the user's own line outwards nothing waits: the frame that started a thread lies in `threading.py` as well.
    """
    for code, _ in stack[:_INNERMOST]:
        if whose(code.co_filename) == "user":
            break
        filename = code.co_filename.replace(os.sep, "/")
        for ending, function, kind in _WAITS:
            if filename.endswith(f"/{ending}") and function in ("", code.co_name):
                if kind:
                    return kind
                break
    return ""


def idle(stack: list[Place]) -> bool:
    """Whether this is a pool's thread without work, or an event loop whose tasks tell more than its thread."""
    named = [(code.co_filename.replace(os.sep, "/"), code.co_name) for code, _ in stack[:_INNERMOST]]
    if any(file.endswith("/concurrent/futures/thread.py") and name == "_worker" for file, name in named[:3]):
        return True
    return any(file.endswith("/selectors.py") for file, _ in named[:2]) and any(
        file.endswith("/asyncio/base_events.py") and name == "_run_once" for file, name in named
    )
