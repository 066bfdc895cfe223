"""faulthandler's text to a stack: what a process was doing whose own watchdog could not look, the GIL being held."""

from __future__ import annotations

import linecache
import os
import re
from pathlib import Path
from typing import Any

_THREAD = re.compile(r"(?:Current thread|Thread) 0x[0-9a-f]+(?: \[(?P<name>[^\]]*)\])? \(most recent call first\):")
_FRAME = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)')
_OURS = str(Path(__file__).resolve().parent.parent) + os.sep
_LIBRARY = re.compile(r"[/\\](?:site-packages|dist-packages|lib[/\\]python3\.\d+)[/\\]")
_WAITS = re.compile(r"[/\\]lib[/\\]python3\.\d+[/\\](?:(?:selectors|threading|queue|socket|ssl)|.*[/\\]thread)\.py$")
"""Modules of the standard library whose innermost line is a wait without the interpreter."""

HELD = "gil"
"""Waiting for C code that holds the interpreter and does not compute: no thread of Python could say more."""


def stacks_of(text: str, *, at: float, seconds: float, computing: bool, span: str | None) -> list[dict[str, Any]]:
    """Read a dump into `stack` records (without ids), the main thread's first; frames ordered as `model.span.Stack`."""
    threads: list[list[dict[str, Any]]] = []
    for line in text.splitlines():
        if _THREAD.match(line):
            threads.append([])
        elif threads and (match := _FRAME.match(line)):
            frame = {"file": match["file"], "line": int(match["line"]), "function": match["function"]}
            threads[-1].append({**frame, "source": linecache.getline(match["file"], int(match["line"])).strip()[:200]})
    records: list[dict[str, Any]] = []
    # One that stands in a wait of Python's own gave the interpreter away.
    holding = [frames for frames in threads if frames and not _WAITS.search(frames[0]["file"])]
    for frames in reversed(holding or threads):  # faulthandler lists the main thread last
        theirs = [frame for frame in frames if not frame["file"].startswith(_OURS)]
        user = [frame for frame in theirs if not _LIBRARY.search(frame["file"]) and frame["file"][:1] != "<"]
        if theirs and (user or not records):
            rest = [frame for frame in theirs if frame not in user]
            records.append(
                {
                    "k": "stack",
                    "at": at,
                    "span": span,
                    "waiting": "cpu" if computing else HELD,
                    "frames": [*user, *rest][:24],
                    "user_frame": user[0] if user else None,
                    "thread": "MainThread" if not records else "a thread",
                    "seconds": seconds,
                    "attrs": {"source": "faulthandler"},
                }
            )
    return records
