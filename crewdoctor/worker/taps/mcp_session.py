"""Calls of an MCP server's tools: `mcp.call`, one span a try.

crewAI's client asks again within one `tool.call` after it gave up: only here is a try seen to be cut off.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from crewdoctor.worker.classify import classify
from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import Tap


class _Try:
    """One request `tools/call` until its answer."""

    __slots__ = ("_recorder", "_span")

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._span = recorder, recorder.open("mcp.call")

    def done(self, _result: Any) -> None:
        self._recorder.close(self._span)

    def failed(self, error: BaseException) -> None:
        self._recorder.close(self._span, failure=classify(error))


def install(recorder: Recorder) -> None:
    """Stand around `ClientSession.call_tool`, whatever the transport."""
    tap = Tap("mcp_session", recorder)

    def session(module: ModuleType) -> None:
        tap.around_coroutine(module.ClientSession, "call_tool", lambda *_given, **_more: _Try(recorder))

    when_imported("mcp.client.session", tap.safely(session))
