"""sqlite3: a statement is in flight while it runs, and stops before it writes where the guard is up.

A database that somebody else has locked holds a statement in C, asleep between two tries, where no other tap looks.
The classes are C and cannot be patched: connections are made of a subclass of the same name.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.statements import is_query
from crewdoctor.worker.taps.tap import InFlight, Tap, span_here, wire
from crewdoctor.worker.taps.writes import guarded, stop

DATABASE = "database"
"""In flight: it computes, reads a file, or sleeps until a lock is free. The kernel knows which."""
_STATEMENTS = ("execute", "executemany", "executescript")
_FACTORY = 5
"""Index of `factory` among the positional arguments of `sqlite3.connect`."""
_TIMEOUT = 5.0
"""CPython's default for a lock that somebody else holds."""

Entering = Callable[..., InFlight | None]


def install(recorder: Recorder) -> None:
    """Tap sqlite3, now or when it is imported."""
    tap = Tap("sqlite", recorder)
    when_imported("sqlite3", tap.safely(lambda module: _tapped(tap, module)))


def _tapped(tap: Tap, module: ModuleType) -> None:
    recorder = tap.recorder

    def entered(owner: Any, statement: Any = None) -> InFlight | None:
        if statement is not None and guarded(recorder) and not is_query(statement):
            stop(recorder, "SQL", str(statement).split(None, 1)[0].upper() if statement else "")
        if span_here(recorder) is None:
            return None
        path, timeout = getattr(getattr(owner, "connection", owner), "_crewdoctor_lock", ("", None))
        return InFlight(recorder, DATABASE, peer=f"a lock on the database {path}".strip(), timeout=wire(timeout))

    entering = tap.guard(entered)
    cursors = _subclass(tap, module.Cursor, entering, _STATEMENTS)
    connections = _subclass(tap, module.Connection, entering, (*_STATEMENTS, "commit", "__exit__"))

    def cursor(self: Any, factory: Any = cursors) -> Any:
        return module.Connection.cursor(self, factory)

    connections.cursor = cursor

    def named(connection: Any, database: Any, timeout: float = _TIMEOUT, *_args: Any, **_kwargs: Any) -> None:
        connection._crewdoctor_lock = (Path(os.fsdecode(database)).name, timeout)

    def make(original: Any) -> Any:
        def connect(*args: Any, **kwargs: Any) -> Any:
            if not (recorder.armed and tap.active) or len(args) > _FACTORY or "factory" in kwargs:
                return original(*args, **kwargs)
            connection = original(*args, **kwargs, factory=connections)
            tap.tell(named, connection, *args, **kwargs)
            return connection

        return connect

    tap.replace(module, "connect", make)
    tap.replace(module.dbapi2, "connect", make)


def _subclass(tap: Tap, base: Any, entering: Entering, names: tuple[str, ...]) -> Any:
    """`base` under its own name, whose methods `names` are in flight while they run."""

    def method(name: str) -> Any:
        original = getattr(base, name)

        @functools.wraps(original)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            watched = entering(self, *(args[:1] if name in _STATEMENTS else ()))
            try:
                return original(self, *args, **kwargs)
            finally:
                if watched is not None:
                    tap.tell(watched.done, None)

        return call

    held = {"__module__": base.__module__, "__doc__": base.__doc__}
    return type(base.__name__, (base,), {**held, **{name: method(name) for name in names}})
