"""urllib's HTTPError: it holds the answer whose body hardly anybody reads, and so would never end its request.

The request is over where urllib gives up on it: an `except` that keeps the error must not look like a hang.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import Tap

_CALL = "_crewdoctor_call"
"""Where `http_client.py` keeps the request whose body a response is."""


class _GivenUp:
    """The answer is about to be raised."""

    __slots__ = ("_response",)

    def __init__(self, response: Any) -> None:
        self._response = response

    def done(self, _result: Any) -> None:
        """A handler of the user's own made something else of it."""

    def failed(self, _error: BaseException) -> None:
        """It was raised."""
        call = getattr(self._response, _CALL, None)
        if call is not None:
            call.finish()


def install(recorder: Recorder) -> None:
    """Tap the one place urllib raises it, now or when it is imported."""
    tap = Tap("urllib_errors", recorder)

    def raises(_handler: Any, _request: Any, response: Any, *_rest: Any) -> _GivenUp:
        return _GivenUp(response)

    def urllib(module: ModuleType) -> None:
        tap.around(module.HTTPDefaultErrorHandler, "http_error_default", raises)

    when_imported("urllib.request", tap.safely(urllib))
