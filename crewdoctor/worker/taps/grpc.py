"""grpc: `http.request` with `client: grpc`, one per call, with the deadline it was given.

Everything beneath a call is C: its connection is told by the kernel alone (`kernel.py`). An answer's first byte is the
first message that arrives; a unary call has only an end. Until its status is known a call is in flight.
"""

from __future__ import annotations

import re
import sys
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.worker.classify import classify_text
from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.calls import HttpCall
from crewdoctor.worker.taps.kernel import looks_of
from crewdoctor.worker.taps.tap import Tap, wire
from crewdoctor.worker.taps.words import AS_TOLD, attributes
from crewdoctor.worker.taps.writes import may_send

_KINDS = {
    "CANCELLED": FailureKind.CANCELLED,
    "DEADLINE_EXCEEDED": FailureKind.TIMEOUT_TOTAL,
    "UNAUTHENTICATED": FailureKind.HTTP_UNAUTHORIZED,
    "PERMISSION_DENIED": FailureKind.HTTP_UNAUTHORIZED,
    "NOT_FOUND": FailureKind.HTTP_NOT_FOUND,
    "RESOURCE_EXHAUSTED": FailureKind.HTTP_RATE_LIMITED,
    "INVALID_ARGUMENT": FailureKind.HTTP_CLIENT_ERROR,
    "ALREADY_EXISTS": FailureKind.HTTP_CLIENT_ERROR,
    "FAILED_PRECONDITION": FailureKind.HTTP_CLIENT_ERROR,
    "OUT_OF_RANGE": FailureKind.HTTP_CLIENT_ERROR,
    "UNIMPLEMENTED": FailureKind.HTTP_CLIENT_ERROR,
}
"""By status code; what is left is the server's fault, but for UNAVAILABLE, which tells its reason in words."""
Begin = Callable[..., Any]
_RESOLVERS = ("dns:", "ipv4:", "ipv6:", "passthrough:")

_READS = re.compile(
    r"(BatchGet|Get|List|Search|Query|Find|Read|Lookup|Count|Check|Watch|Describe)(?![a-z])(?!.*(Or|And)[A-Z])"
)
"""Methods that by gRPC's conventions change nothing (`GetOrCreate` is none): the protocol itself has no GET."""

_going: weakref.WeakKeyDictionary[Any, HttpCall] = weakref.WeakKeyDictionary()
"""The object a streaming call or a future returned → the call."""


class _Blocking:
    """A unary call that blocks: `_blocking` returns its state."""

    __slots__ = ("_call", "_port", "_recorder")

    def __init__(self, recorder: Recorder, call: HttpCall, port: int) -> None:
        self._recorder, self._call, self._port = recorder, call, port

    def done(self, result: Any) -> None:
        self.ended(result[0].code, result[0].details)

    def ended(self, code: Any, details: Any) -> None:
        """Its status is known."""
        looks = looks_of(self._recorder)
        if looks is not None and self._recorder.armed:
            looks.glance(self._port)
        self._call.finish(_failure(code, details))

    def failed(self, error: BaseException) -> None:
        self._call.failed(error)


class _Started(_Blocking):
    """A call that goes on after it was made."""

    __slots__ = ()

    def done(self, result: Any) -> None:
        self._call.leave()
        _going[result] = self._call
        state = result._state

        def over() -> None:
            self.ended(state.code, state.details)

        if not result.add_callback(over):
            over()


class _Awaited(_Blocking):
    """The same for `grpc.aio`."""

    __slots__ = ()

    def done(self, result: Any) -> None:
        self._call.leave()
        _going[result] = self._call

        def over(ended: Any) -> None:
            status = _settled(ended._cython_call.status())
            self.ended(_code(status.code()) if status else None, status.details() if status else "")

        result.add_done_callback(over)


class _Message:
    """Somebody waits for the next message of a stream."""

    __slots__ = ("_call",)

    def __init__(self, call: HttpCall) -> None:
        self._call = call
        call.wait(None)

    def done(self, _message: Any) -> None:
        if self._call.received:
            self._call.part(1)
        else:
            self._call.answered(200, ())
            self._call.received = 1

    def failed(self, _error: BaseException) -> None:
        self._call.pause()


class _AwaitedMessage(_Message):
    """The same for `grpc.aio`, whose streams end with a mark instead of a message."""

    __slots__ = ()

    def done(self, message: Any) -> None:
        if isinstance(message, bytes) or type(message).__name__ != "_EOF":
            super().done(message)
        else:
            self._call.pause()


def install(recorder: Recorder) -> None:
    """Tap the callables of channels, now or when grpc is imported."""
    tap = Tap("grpc", recorder)

    def begun(kind: type[_Blocking], callable_: Any, timeout: Any) -> _Blocking | None:
        host, port = _target(_text(getattr(callable_, "_target", None) or _aio_target(callable_)))
        if not host:
            return None
        path = _text(callable_._method)
        may_send(recorder, "GET" if _READS.match(path.rpartition("/")[2]) else "POST", host, path)
        limit = wire(timeout)
        limits = {"connect": limit, "read": limit, "total": limit}
        where: dict[str, Any] = {"scheme": "grpc", "host": host, "port": port, "path": path}
        told = attributes(client="grpc", method="POST", timeout=limits, **where)
        call = HttpCall(recorder, AS_TOLD, (host, told), waits=True)
        return kind(recorder, call, port)

    def blocking(callable_: Any, _request: Any, timeout: Any = None, *_args: Any, **_more: Any) -> _Blocking | None:
        return begun(_Blocking, callable_, timeout)

    def started(callable_: Any, _request: Any, timeout: Any = None, *_args: Any, **_more: Any) -> _Blocking | None:
        return begun(_Started, callable_, timeout)

    def awaited(callable_: Any, _request: Any = None, *_args: Any, **more: Any) -> _Blocking | None:
        return begun(_Awaited, callable_, more.get("timeout"))

    def message(rendezvous: Any) -> _Message | None:
        call = _going.get(rendezvous)
        return None if call is None else _Message(call)

    def awaited_message(call: Any) -> _Message | None:
        going = _going.get(call)
        return None if going is None else _AwaitedMessage(going)

    def asynchronous(module: ModuleType) -> None:
        for name in ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream"):
            tap.around(getattr(module, f"{name}MultiCallable"), "__call__", awaited)

    def streams(module: ModuleType) -> None:
        tap.around_coroutine(module._StreamResponseMixin, "_read", awaited_message)

    when_imported("grpc._channel", tap.safely(lambda module: _tapped(tap, module, blocking, started, message)))
    when_imported("grpc.aio._channel", tap.safely(asynchronous))
    when_imported("grpc.aio._call", tap.safely(streams))


def _tapped(tap: Tap, module: ModuleType, blocking: Begin, started: Begin, message: Begin) -> None:
    """The callables of blocking channels."""
    for name in ("_UnaryUnaryMultiCallable", "_StreamUnaryMultiCallable"):
        tap.around(getattr(module, name), "_blocking", blocking)
        tap.around(getattr(module, name), "future", started)
    for name in ("_UnaryStreamMultiCallable", "_SingleThreadedUnaryStreamMultiCallable", "_StreamStreamMultiCallable"):
        tap.around(getattr(module, name), "__call__", started)
    for name in ("_MultiThreadedRendezvous", "_SingleThreadedRendezvous"):
        tap.around(getattr(module, name), "_next", message)


def _failure(code: Any, details: Any) -> Failure | None:
    """A status as a failure; None for OK."""
    name = str(getattr(code, "name", code) or "UNKNOWN")
    if name in {"OK", "0"}:
        return None
    words = _text(details)
    kind = _KINDS.get(name, FailureKind.HTTP_SERVER_ERROR)
    if name == "UNAVAILABLE":
        kind = classify_text(words) or FailureKind.TCP_CLOSED
    return Failure(kind, f"{name}: {words}"[:300], exception=f"grpc.StatusCode.{name}")


def _settled(coroutine: Any) -> Any:
    """What a coroutine returns that has nothing left to wait for; None where it has."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    return None


def _code(number: Any) -> Any:
    """A status code by its number, which is all that `grpc.aio` keeps."""
    return next((code for code in sys.modules["grpc"].StatusCode if code.value[0] == number), number)


def _aio_target(callable_: Any) -> Any:
    channel = getattr(callable_, "_channel", None)
    target = getattr(channel, "_target", None) or getattr(channel, "target", b"")
    return target() if callable(target) else target


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def _target(target: str) -> tuple[str, int]:
    """Host and port of a channel's target (`dns:///api.local:443`); empty for what is no address of the internet."""
    if target.startswith(("unix", "vsock")):
        return "", 0
    for scheme in _RESOLVERS:
        if target.startswith(scheme):
            target = target[len(scheme) :].lstrip("/").rpartition("/")[2]
    target = target.partition(",")[0]
    host, _, port = target.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else (target.strip("[]"), 443)
