"""One client object in the hands of two threads at once: event `client.shared`, once per object and operation.

Only clients that are not made for it are looked at: `requests.Session` (cookies, adapters and redirects are shared
without a lock). httpx.Client and urllib3's pools are, and a connection of http.client raises by itself.
"""

from __future__ import annotations

import threading
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import Tap, span_here, subject_here


class _Use:
    """One call of a method of a client, from one thread."""

    __slots__ = ("_held", "_thread")

    def __init__(self, held: dict[int, int], thread: int) -> None:
        self._held, self._thread = held, thread
        held[thread] = held.get(thread, 0) + 1

    def done(self, _result: Any) -> None:
        left = self._held.get(self._thread, 1) - 1
        if left:
            self._held[self._thread] = left
        else:
            self._held.pop(self._thread, None)

    def failed(self, _error: BaseException) -> None:
        self.done(None)


def install(recorder: Recorder) -> None:
    """Tap requests, now or when it is imported."""
    tap = Tap("shared_clients", recorder)
    users: dict[int, dict[int, int]] = {}
    told: set[tuple[int, str | None]] = set()

    def sent(session: Any, *_args: Any, **_kwargs: Any) -> _Use:
        # An id may come back after its object is gone: only what is in use now counts.
        held = users.setdefault(id(session), {})
        use = _Use(held, threading.get_ident())
        key = (id(session), span_here(recorder))
        if len(held) > 1 and key not in told:
            told.add(key)
            recorder.event(
                "client.shared",
                client="requests.Session",
                subject=subject_here(recorder),
                span=span_here(recorder),
                threads=len(held),
            )
        return use

    def sessions(module: ModuleType) -> None:
        tap.around(module.Session, "send", sent)

    when_imported("requests.sessions", tap.safely(sessions))
