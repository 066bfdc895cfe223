"""One HTTP request as a client library sees it: `http.request`, from the queue for a connection to the end of the body.

The authoritative attempt on the wire: timeouts in force, status, Retry-After, rate limits, which attempt it is. What
it looked up, connected and sent lies beneath it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from contextvars import Token
from functools import lru_cache
from typing import Any, NamedTuple

from crewdoctor.model.span import Failure
from crewdoctor.worker.classify import classify, of_status
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.identity import number_of
from crewdoctor.worker.taps.shared import connections_of
from crewdoctor.worker.taps.tap import span_here

_RATE = "x-ratelimit-"
attempts: Counter[str] = Counter()
"""Span → requests begun directly inside it: an LLM call's attempts."""

going: dict[str, HttpCall] = {}
"""Span → the request, until it is over."""


class _Shown(NamedTuple):
    """Where a request goes, in the words of a report."""

    url: str
    """Without query and fragment."""
    port: int
    peer: str


@lru_cache(maxsize=512)
def _shown(scheme: str, host: str, port: int | None, path: str) -> _Shown:
    usual = 443 if scheme in {"https", "wss"} else 80
    port = port or usual
    named = f"[{host}]" if ":" in host else host
    path = path.partition("?")[0].partition("#")[0]
    return _Shown(f"{scheme}://{named}{'' if port == usual else f':{port}'}{path}", port, f"{named}:{port}")


class HttpCall:
    """One request that is going on."""

    __slots__ = (
        "_answer",
        "_ended",
        "_gap",
        "_key",
        "_last",
        "_recorder",
        "_token",
        "port",
        "received",
        "span",
        "started",
    )

    def __init__(  # noqa: PLR0913 - a request has that many parts
        self,
        recorder: Recorder,
        *,
        client: str,
        method: str,
        scheme: str,
        host: str,
        port: int | None,
        path: str,
        timeout: dict[str, Any],
        attempt: int | None = None,
        proxy: str = "",
        waits: bool = False,
        owner: Any = None,
    ) -> None:
        shown = _shown(scheme, host, port, path)
        parent = span_here(recorder)
        if parent:
            attempts[parent] += 1
        extra: dict[str, Any] = {"attempt": attempt} if attempt is not None else {}
        if proxy:
            extra["proxy"] = proxy
        if owner is not None:
            extra["client_object"] = number_of(owner)
        self._recorder = recorder
        self.span = recorder.open(
            "http.request",
            client=client,
            method=method.upper(),
            url=shown.url,
            host=host,
            port=shown.port,
            timeout=timeout,
            thread=threading.current_thread().name,
            **extra,
        )
        connections_of(recorder).count_beneath(self.span)
        going[self.span] = self
        self.started = self._last = recorder.now()
        self.received = 0
        self._answer: dict[str, Any] = {}
        self._gap = 0.0
        self._ended = False
        self._token: Token[str | None] | None = recorder.current.set(self.span or parent)
        # A coroutine's waiting is nobody's thread: it stands in the table until the answer is complete.
        self._key = recorder.enter("recv", peer=shown.peer, timeout=timeout.get("read"), span=self.span) if waits else 0

    def leave(self) -> None:
        """The library returned to its caller: what comes next is not this request's doing."""
        token, self._token = self._token, None
        if token is not None:
            try:
                self._recorder.current.reset(token)
            except ValueError:
                self._recorder.current.set(None)

    def answered(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Status line and headers are there."""
        self._last = self._recorder.now()
        self._answer = {"status": status, "first_byte": round(self._last - self.started, 6)}
        rate: dict[str, str] = {}
        for name, value in headers:
            lower = name.lower()
            if lower == "retry-after":
                self._answer["retry_after"] = _seconds(value)
            elif lower.startswith(_RATE):
                rate[lower[len(_RATE) :]] = value
        if rate:
            self._answer["ratelimit"] = rate
        self._recorder.move()
        self.pause()

    def pause(self) -> None:
        """The caller is busy with what it has; nobody waits for bytes."""
        self._recorder.leave(self._key)
        self._key = 0

    def wait(self, timeout: Any, received: int = 0) -> None:
        """A coroutine waits for more of the body, of which `received` bytes are there; 0: those counted here."""
        if not self._key:
            self._key = self._recorder.enter("recv", timeout=timeout, span=self.span)
            self._recorder.inflight[self._key].bytes = received or self.received or 1

    def part(self, count: int) -> None:
        """`count` bytes of the body arrived."""
        now = self._recorder.now()
        self._gap = max(self._gap, now - self._last)
        self._last = now
        self.received += count
        self._recorder.move()
        self.pause()

    def failed(self, error: BaseException) -> None:
        """It raised, before the answer or within the body."""
        self.finish(classify(error))

    def finish(self, failure: Failure | None = None) -> None:
        """It is over: the body was read, or closed unread, or it failed. Only the first call counts."""
        self.leave()
        self.pause()
        if self._ended:
            return
        self._ended = True
        status = self._answer.get("status")
        kind = of_status(status) if isinstance(status, int) else None
        if failure is None and kind is not None:
            failure = Failure(kind, f"HTTP {status}")
        on_wire = connections_of(self._recorder).settle_beneath(self.span, failure)
        attempts.pop(self.span, None)
        going.pop(self.span, None)
        gap = {"gap_max": round(self._gap, 6)} if self._gap else {}
        received = self.received or on_wire
        self._recorder.close(
            self.span, failure=failure, received_bytes=received, phase=self.phase(received), **self._answer, **gap
        )

    def phase(self, received: int) -> str:
        """How far it got, with `received` bytes: `wait` for a first byte, within the `headers`, or in the `body`."""
        if self._answer:
            return "body"
        return "headers" if received else "wait"


def _seconds(value: str) -> float | str:
    """Return Retry-After in seconds; a date stays as it was written."""
    try:
        return float(value)
    except ValueError:
        return value
