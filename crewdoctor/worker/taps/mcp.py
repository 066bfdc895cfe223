"""mcp: `mcp.request`, one message of a session and its answer, with the read timeout in force.

Over HTTP the requests that carry it lie elsewhere, in tasks the transport has started before; over standard input and
output there is nothing on the network at all. This span is the one that belongs to the caller.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from crewdoctor.worker.classify import classify
from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import Tap, wire


class _Request:
    """One message that waits for its answer."""

    __slots__ = ("_recorder", "_span")

    def __init__(self, recorder: Recorder, method: str, timeout: Any) -> None:
        self._recorder = recorder
        self._span = recorder.open("mcp.request", client="mcp", method=method, timeout=wire(timeout))

    def done(self, _result: Any) -> None:
        self._recorder.close(self._span)

    def failed(self, error: BaseException) -> None:
        self._recorder.close(self._span, failure=classify(error, "recv"))


def install(recorder: Recorder) -> None:
    """Tap the sessions, now or when mcp is imported."""
    tap = Tap("mcp", recorder)

    def begin(session: Any, request: Any, _kind: Any = None, limit: Any = None, *_args: Any, **more: Any) -> _Request:
        limit = more.get("request_read_timeout_seconds", limit)
        limit = limit if limit is not None else getattr(session, "_session_read_timeout_seconds", None)
        seconds = limit.total_seconds() if hasattr(limit, "total_seconds") else limit
        held = getattr(request, "root", request)
        return _Request(recorder, str(getattr(held, "method", "")), seconds)

    def sessions(module: ModuleType) -> None:
        tap.around_coroutine(module.BaseSession, "send_request", begin)

    when_imported("mcp.shared.session", tap.safely(sessions))
