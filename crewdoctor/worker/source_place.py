"""Whose code a file is, and how people name it."""

from __future__ import annotations

import inspect
import linecache
import os
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from crewdoctor.model.setting import Location

_OURS = str(Path(__file__).resolve().parents[1]) + os.sep
_LIBRARY_MARKS = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


@lru_cache(maxsize=4096)
def is_users(file: str) -> bool:
    """Whether `file` is neither a library's, nor Python's, nor ours."""
    if not file or file.startswith("<"):
        return False
    path = os.path.realpath(file)
    if path.startswith(_OURS) or any(mark in path for mark in _LIBRARY_MARKS):
        return False
    libraries = {sysconfig.get_path("stdlib"), str(Path(os.__file__).parent)}
    return not any(path.startswith(os.path.realpath(each) + os.sep) for each in libraries)


def shown(file: str) -> str:
    """`file` from the project's folder on, where it lies in it: the working folder of a loaded target is its root."""
    try:
        relative = os.path.relpath(file)
    except ValueError:
        return file
    return file if relative.startswith(os.pardir) else relative


def at(where: Location | None) -> str:
    """` (file:line)` behind a sentence; nothing where the place is not known."""
    return f" ({shown(where.file)}:{where.line})" if where is not None else ""


def place(file: str, line: int, function: str = "") -> Location:
    """A Location with the text of its line."""
    return Location(os.path.realpath(file), line, function, linecache.getline(file, line).strip())


def users_frames(frame: FrameType | None, most: int = 8) -> list[tuple[str, int, str]]:
    """(file, line, function) of the user's own frames, innermost first."""
    found: list[tuple[str, int, str]] = []
    while frame is not None and len(found) < most:
        if is_users(frame.f_code.co_filename):
            found.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return found


def users_place(traceback: TracebackType | None) -> Location | None:
    """The innermost line of the user's own code in a traceback."""
    found: Location | None = None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if is_users(code.co_filename):
            found = place(code.co_filename, traceback.tb_lineno, code.co_name)
        traceback = traceback.tb_next
    return found


def running(thread: int) -> Location | None:
    """Where a thread stands now, in the user's own code; else where one it waits for does (a Flow's method)."""
    stacks = sys._current_frames()
    for frame in (stacks.pop(thread, None), *stacks.values()):
        frames = users_frames(frame, most=1)
        if frames:
            return place(*frames[0])
    return None


def defined_at(function: Any) -> Location | None:
    """Where a function, method or class is defined."""
    if isinstance(function, type):
        function = function.__init__  # type: ignore[misc]
    try:
        code = getattr(inspect.unwrap(function), "__code__", None)
    except ValueError:
        return None
    return place(code.co_filename, code.co_firstlineno, code.co_name) if code is not None else None
