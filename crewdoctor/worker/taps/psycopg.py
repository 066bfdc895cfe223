"""psycopg 3: `tcp.connect`, `tls.handshake` and `net.exchange` of a libpq that does them all in C.

psycopg drives libpq with generators that say when they wait for the socket and are told when it is ready; they are
stood around here, and `libpq.py` makes spans of it. Nothing on this side ends the wait for a statement. The server may,
if it was told to with the connection; what a session has set later is not known.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Generator
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.libpq import Exchange, Login, limited
from crewdoctor.worker.taps.shared import connections_of
from crewdoctor.worker.taps.tap import Tap, wire

_STATEMENT_TIMEOUT = re.compile(r"statement_timeout\s*=\s*'?(\d+)\s*(ms|s|min)?")
_IN_SECONDS = {None: 0.001, "ms": 0.001, "s": 1.0, "min": 60.0}
_PORT = 5432


def install(recorder: Recorder) -> None:
    """Tap the generators that connect and those that talk, now or when psycopg is imported."""
    tap = Tap("psycopg", recorder)
    connections = connections_of(recorder)
    begin_login = tap.guard(lambda conninfo: _login(recorder, conninfo))
    begin_talk = tap.guard(lambda connection: _talk(recorder, connection))

    def base(module: ModuleType) -> None:
        held = module.BaseConnection.__dict__.get("_connect_gen")
        if held is None or getattr(held.__func__, "__crewdoctor_tap__", False):
            return
        original = held.__func__

        def connect_gen(cls: Any, conninfo: str = "", *args: Any, **kwargs: Any) -> Any:
            made = original(cls, conninfo, *args, **kwargs)
            watched = begin_login(conninfo)
            return made if watched is None else _followed(tap, made, watched)

        connect_gen.__crewdoctor_tap__ = True  # type: ignore[attr-defined]
        module.BaseConnection._connect_gen = classmethod(connect_gen)

    def waiting(original: Callable[..., Any]) -> Callable[..., Any]:
        def wait(connection: Any, gen: Any, *args: Any, **kwargs: Any) -> Any:
            watched = begin_talk(connection)
            return original(connection, gen if watched is None else _followed(tap, gen, watched), *args, **kwargs)

        return wait

    def closed(connection: Any) -> None:
        if not connection.closed:
            connections.closed(connection.pgconn.socket)

    def sync(module: ModuleType) -> None:
        tap.replace(module.Connection, "wait", waiting)
        tap.around(module.Connection, "close", closed)

    def asynchronous(module: ModuleType) -> None:
        tap.replace(module.AsyncConnection, "wait", waiting)  # what it returns is awaited by whoever called
        tap.around_coroutine(module.AsyncConnection, "close", closed)

    when_imported("psycopg._connection_base", tap.safely(base))
    when_imported("psycopg.connection", tap.safely(sync))
    when_imported("psycopg.connection_async", tap.safely(asynchronous))


def _login(recorder: Recorder, conninfo: str) -> Login | None:
    """What watches one attempt; None for a socket in the file system, or several hosts that libpq tries by itself."""
    told = sys.modules["psycopg.conninfo"].conninfo_to_dict(conninfo)
    host, address = str(told.get("host") or ""), str(told.get("hostaddr") or "")
    if (not host and not address) or host.startswith(("/", "@")) or "," in host:
        return None
    limit = sys.modules["psycopg.conninfo"].timeout_from_conninfo(told)
    port = int(told.get("port") or os.environ.get("PGPORT") or _PORT)
    return Login(recorder, host or address, port, address or host, limit)


def _talk(recorder: Recorder, connection: Any) -> Exchange | None:
    """What watches one generator of a connection that was seen to connect."""
    fd = connection.pgconn.socket
    known = connections_of(recorder).table.get(fd)
    if known is None:
        return None
    options = (connection.pgconn.options or b"").decode("utf-8", "replace")
    found = _STATEMENT_TIMEOUT.search(options)
    seconds = int(found[1]) * _IN_SECONDS[found[2]] if found and int(found[1]) else None
    return Exchange(recorder, known, fd, {"timeout": "unknown"} if connection in limited else wire(seconds))


def _followed(tap: Tap, gen: Any, watched: Exchange) -> Generator[Any, Any, Any]:
    """The same generator, watched: what it yields, what it is sent, how it ends."""
    try:
        state = next(gen)
        while True:
            tap.tell(watched.waits, state)
            try:
                ready = yield state
            except GeneratorExit:
                gen.close()
                raise
            except BaseException as error:
                state = gen.throw(error)
                continue
            tap.tell(watched.ready, ready)
            state = gen.send(ready)
    except StopIteration as end:
        tap.tell(watched.done, end.value)
        return end.value
    except BaseException as error:
        tap.tell(watched.failed, error)
        raise
