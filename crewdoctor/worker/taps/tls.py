"""TLS handshakes: `tls.handshake`, with the issuer and the trust store that judged it.

A handshake over memory buffers (asyncio, anyio) is several calls of `SSLObject.do_handshake`: it is timed from the
first to the last. One that is abandoned is closed by the operation around it, or when its object goes away.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.worker.classify import classify
from crewdoctor.worker.inflight import settlers
from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.connections import Connection
from crewdoctor.worker.taps.shared import connections_of, wrapped, wrapping
from crewdoctor.worker.taps.tap import Tap, TimedSpan, wire

_stores: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
"""SSL context → where its trusted certificates came from."""


class _Handshake(TimedSpan):
    """One handshake, of one call or of many."""

    __slots__ = ("_tls",)

    def __init__(self, recorder: Recorder, tls: Any, connection: Connection | None, timeout: Any) -> None:
        host = tls.server_hostname or (connection.host if connection else "")
        port = connection.port if connection else None
        super().__init__(
            recorder,
            "tls.handshake",
            "tls",
            peer=f"{host}:{port}" if port else host,
            timeout=timeout,
            host=host,
            port=port,
            address=connection.address if connection else None,
            trust=_trust(tls.context),
        )
        self._tls = weakref.ref(tls)

    def done(self, _result: Any) -> None:
        tls = self._tls()
        if tls is not None:
            self.end(version=tls.version(), issuer=_issuer(tls))

    def failed(self, error: BaseException) -> None:
        told = {name: getattr(error, name, None) for name in ("verify_code", "verify_message")}
        self.end(classify(error, "tls"), **{name: held for name, held in told.items() if held})


class _Step:
    """One of the calls an asynchronous handshake is made of."""

    __slots__ = ("_handshake", "_running", "_tls")

    def __init__(self, tls: Any, handshake: _Handshake, running: dict[int, _Handshake]) -> None:
        self._tls, self._handshake, self._running = tls, handshake, running

    def done(self, result: Any) -> None:
        self._running.pop(id(self._tls), None)
        self._handshake.done(result)

    def failed(self, error: BaseException) -> None:
        if type(error).__name__ in {"SSLWantReadError", "SSLWantWriteError"}:
            return
        self._running.pop(id(self._tls), None)
        self._handshake.failed(error)


def install(recorder: Recorder) -> None:
    """Tap the handshakes and the loading of trust stores."""
    tap = Tap("tls", recorder)
    connections = connections_of(recorder)
    running: dict[int, _Handshake] = {}
    abandoned: list[_Handshake] = []

    def whole(tls: Any, *_args: Any, **_kwargs: Any) -> _Handshake | _Step | None:
        if tls.server_side:
            return None
        connection = connections.table.get(tls.fileno())
        if tls.gettimeout() == 0.0:
            return part(tls)
        return _Handshake(recorder, tls, connection, wire(tls.gettimeout()))

    def part(tls: Any) -> _Step | None:
        if tls.server_side:
            return None
        handshake = running.get(id(tls))
        if handshake is None:
            connection = connections.table.get(_descriptor(tls))
            handshake = running[id(tls)] = _Handshake(recorder, tls, connection, None)
            weakref.finalize(tls, _abandon, id(tls), handshake, running, abandoned).atexit = False
        return _Step(tls, handshake, running)

    def sweep() -> None:
        while abandoned:
            abandoned.pop().end(Failure(FailureKind.CANCELLED, "the handshake was given up"))

    def secure(module: ModuleType) -> None:
        tap.around(module.SSLSocket, "do_handshake", whole)
        tap.around(module.SSLObject, "do_handshake", part)
        tap.replace(module.SSLContext, "load_verify_locations", _remembering(tap, _from_file))
        tap.replace(module.SSLContext, "load_default_certs", _remembering(tap, _from_system))
        tap.replace(module.SSLContext, "set_default_verify_paths", _remembering(tap, _from_system))

    settlers.append(tap.guard(sweep))
    when_imported("ssl", tap.safely(secure))


def _descriptor(tls: Any) -> int:
    """Descriptor of the connection an SSLObject sits on; -1 where nobody has said."""
    told: int = getattr(tls, "crewdoctor_fd", getattr(wrapping, "fd", -1))
    if told < 0 and (told := wrapped.get()) >= 0:
        tls.crewdoctor_fd = told
    return told


def _abandon(key: int, handshake: _Handshake, running: dict[int, _Handshake], abandoned: list[_Handshake]) -> None:
    """The object is gone: note it, and let the next sweep write (a finaliser may run inside anything)."""
    if running.get(key) is handshake:
        del running[key]
        abandoned.append(handshake)


def _remembering(tap: Tap, note: Callable[..., None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def loading(context: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(context, *args, **kwargs)
            tap.tell(note, context, *args, *kwargs.values())
            return result

        return loading

    return make


def _from_file(context: Any, *sources: Any) -> None:
    paths = [str(source) for source in sources if isinstance(source, (str, bytes)) or hasattr(source, "__fspath__")]
    short = [path for path in paths if "\n" not in path and "BEGIN CERT" not in path]
    known = _stores.get(context)
    loaded = ", ".join(short) or "given as data"
    _stores[context] = f"{known}, {loaded}" if known else loaded


def _from_system(context: Any, *_sources: Any) -> None:
    known = _stores.get(context)
    _stores[context] = f"{known}, system" if known else "system"


def _trust(context: Any) -> str:
    if int(context.verify_mode) == 0:
        return "not verified"
    return _stores.get(context, "unknown")


def _issuer(tls: Any) -> str:
    """Name of the issuer; empty where the certificate was not verified (the ssl module then tells nothing)."""
    certificate = tls.getpeercert() or {}
    parts = {name: value for pair in certificate.get("issuer", ()) for name, value in pair}
    return str(parts.get("commonName") or parts.get("organizationName") or "")
