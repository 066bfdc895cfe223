"""What the endpoint was asked, for tests and fixtures: `GET /_crewdoctor/log`."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from starlette.datastructures import Address, Headers

_KEPT = 20_000


class RequestsSeen:
    """The last requests, oldest first. No content: path, model, attempt and fate only."""

    def __init__(self) -> None:
        self.entries: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self.number = 0

    def note(self, method: str, path: str, headers: Headers, client: Any) -> dict[str, Any]:
        """Add a request; the entry returned is completed while it is answered."""
        self.number += 1
        peer = client if isinstance(client, Address) or client is None else Address(*client)
        entry: dict[str, Any] = {
            "number": self.number,
            "at": time.time(),
            "method": method,
            "path": path,
            "model": "",
            "attempt": int(headers.get("x-stainless-retry-count") or 0),
            "client": headers.get("user-agent", ""),
            "timeout": headers.get("x-stainless-read-timeout", ""),
            "peer_port": peer.port if peer else 0,
            "status": None,
            "stream": False,
            "tool": "",
            "fault": "",
        }
        self.entries.append(entry)
        return entry
