"""Calls of an MCP server's tools: `mcp.call`, one span a try.

crewAI's client asks again within one `tool.call` after it gave up: only here is a try seen to be cut off. Over HTTP the
requests that carry it lie elsewhere, in tasks the transport has started before; over standard input and output nothing
is on the network at all. The read timeout in force is the call's own, else the session's.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from crewdoctor.worker.classify import classify
from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import Tap, wire


class _Try:
    """One request `tools/call` until its answer."""

    __slots__ = ("_recorder", "_span")

    def __init__(self, recorder: Recorder, timeout: Any) -> None:
        self._recorder, self._span = recorder, recorder.open("mcp.call", client="mcp", timeout=timeout)

    def done(self, _result: Any) -> None:
        self._recorder.close(self._span)

    def failed(self, error: BaseException) -> None:
        self._recorder.close(self._span, failure=classify(error))


def install(recorder: Recorder) -> None:
    """Stand around `ClientSession.call_tool`, whatever the transport."""
    tap = Tap("mcp_session", recorder)

    def begin(session: Any, _name: Any, _arguments: Any = None, limit: Any = None, *_args: Any, **more: Any) -> _Try:
        limit = more.get("read_timeout_seconds", limit)
        limit = limit if limit is not None else getattr(session, "_session_read_timeout_seconds", None)
        return _Try(recorder, wire(limit.total_seconds() if hasattr(limit, "total_seconds") else limit))

    def session(module: ModuleType) -> None:
        tap.around_coroutine(module.ClientSession, "call_tool", begin)

    when_imported("mcp.client.session", tap.safely(session))
