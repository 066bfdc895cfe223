"""One client object in the hands of two threads at once: event `client.shared`, once per object and operation.

Only clients that are not made for it are looked at: `requests.Session` (cookies, adapters and redirects are shared
without a lock). httpx.Client and urllib3's pools are, and a connection of http.client raises by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import Tap, span_here, subject_here


def install(recorder: Recorder) -> None:
    """Tap requests, now or when it is imported."""
    tap = Tap("shared_clients", recorder)
    users: dict[int, dict[int, int]] = {}
    told: set[tuple[int, str | None]] = set()

    def tell(session: Any, threads: int) -> None:
        # An id may come back after its object is gone: only what is in use now counts.
        key = (id(session), span_here(recorder))
        if key not in told:
            told.add(key)
            recorder.event(
                "client.shared",
                client="requests.Session",
                subject=subject_here(recorder),
                span=span_here(recorder),
                threads=threads,
            )

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def send(self: Any, request: Any, **kwargs: Any) -> Any:
            if not tap.active or recorder.idle:
                return original(self, request, **kwargs)
            ident, key = threading.get_ident(), id(self)
            held = users.get(key)
            if held is None:
                held = users[key] = {}
            held[ident] = held.get(ident, 0) + 1
            if len(held) > 1:
                tap.tell(tell, self, len(held))
            try:
                return original(self, request, **kwargs)
            finally:
                left = held.get(ident, 1) - 1
                if left:
                    held[ident] = left
                else:
                    held.pop(ident, None)

        return send

    def sessions(module: ModuleType) -> None:
        tap.replace(module.Session, "send", make)

    when_imported("requests.sessions", tap.safely(sessions))
