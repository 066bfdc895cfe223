"""One HTTP request as a client library sees it: `http.request`, from the queue for a connection to the end of the body.

The authoritative attempt on the wire: timeouts in force, status, Retry-After, rate limits, which attempt it is. What
it looked up, connected and sent lies beneath it.

What happens is noted where it happens, in as few steps as it takes; it is put into words by whoever writes or asks,
from what the tap handed over (`raw`): no object of the user's that a program would miss while it waits to be written.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Hashable
from contextvars import Token
from typing import Any

from crewdoctor.model.span import Failure
from crewdoctor.wire.lines import Lines
from crewdoctor.worker.classify import classify, of_status
from crewdoctor.worker.operation import Operation, Recorded, current, loop, running_task
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.spool import MOST_WAITING
from crewdoctor.worker.taps.exchange import Exchange
from crewdoctor.worker.taps.words import Telling, bracketed, of_headers

_FAILING = 400
_monotonic, _get_ident = time.monotonic, threading.get_ident
_threads: dict[int, Any] = threading._active  # type: ignore[attr-defined]


class HttpCall(Recorded):
    """One request."""

    __slots__ = (
        "_attrs",
        "_telling",
        "exchange",
        "first",
        "floor",
        "gap",
        "headers",
        "last",
        "limit",
        "on_wire",
        "others",
        "raw",
        "received",
        "recorder",
        "since",
        "status",
        "task",
        "thread",
        "token",
        "waiter",
        "waiting",
    )

    name = "http.request"
    is_request = True

    def __init__(self, recorder: Recorder, telling: Telling, raw: tuple[Any, ...], *, waits: bool = False) -> None:
        """`raw`: what `telling` makes its attributes of; the host comes first. `waits`: a coroutine does, no thread."""
        # All of `Recorder.open`, written out: this stands in the way of every request.
        spans, ident = recorder._spans, _get_ident()
        parent = current.get() or recorder.thread_spans.get(ident)
        above = spans.get(parent) if parent else None
        if above is None:
            self.subject, self.layer = recorder.subject, recorder.layer.value
        else:
            self.subject, self.layer = above.subject, above.layer
            above.requests += 1
        self.recorder, self.above, self.thread_id, self._telling, self.raw = recorder, above, ident, telling, raw
        thread = _threads.get(ident)
        self.thread = thread._name if thread is not None else ""
        self.end = self.failure = self.first = self.exchange = self.others = self.headers = self._attrs = None
        self.state = self.requests = self.received = self.on_wire = self.status = 0
        self.gap = 0.0
        self.id = span = f"{recorder.number}.{next(recorder._counter)}"
        self.start = self.last = _monotonic() - recorder.zero
        self.waiting = waits
        if waits:
            self.since, self.waiter = self.start, ident
            running = loop.running()
            task = loop.task(running) if running else None
            self.task = None if task is None else weakref.ref(task)
        self.token: Token[str | None] | None = current.set(span)
        spans[span] = self
        spool = recorder._spool
        spool.waiting.append(self)
        if len(spool.waiting) > MOST_WAITING:
            spool.flush()

    first: float | None
    """Seconds, as `start`: when the headers were complete."""
    exchange: Exchange | None
    """The latest one on the wire inside it; `others` before it, and `on_wire` the bytes of those that are over."""
    others: list[Exchange] | None
    raw: tuple[Any, ...] | None
    headers: Any
    """Those of the answer, as its library holds them."""
    task: weakref.ReferenceType[Any] | None
    _attrs: dict[str, Any] | None

    # --- in words ------------------------------------------------------------------------------------------------

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes given at the start."""
        held = self._attrs
        if held is None:
            try:
                told = self._telling.words(self.raw) if self.raw is not None else {}
            except Exception as error:  # whoever asks has other things to tell
                self.recorder.own(f"a request could not be told: {error!r}")
                told = {}
            held = self._attrs = {**told, "thread": self.thread}
        return held

    @property
    def added(self) -> dict[str, Any]:
        """Attributes given at the end."""
        received = self.received or self.on_wire
        told: dict[str, Any] = {"received_bytes": received, "phase": self.phase(received)}
        if self.first is not None:
            told["status"], told["first_byte"] = self.status, round(self.first - self.start, 6)
            told.update(of_headers(self.headers))
        if self.gap:
            told["gap_max"] = round(self.gap, 6)
        return told

    @property
    def place(self) -> Hashable:
        """Whose it is and where it leads."""
        return (self.subject, self.raw[0] if self.raw is not None else None)

    def opening(self, lines: Lines) -> str:
        """`attrs` as text."""
        key = self._telling.key(self.raw) if self.raw is not None else None
        if key is None:
            return lines.body(self.attrs)
        key = (key, self.thread)
        return lines.known(key) or lines.learn(key, self.attrs)

    def closing(self, lines: Lines) -> str:
        """`added` as text."""
        if self.first is None or of_headers(self.headers):
            return lines.members(self.added)
        gap = f',"gap_max":{self.gap:.6f}' if self.gap else ""
        return (
            f'{{"received_bytes":{self.received or self.on_wire},"phase":"body","status":{self.status:d},'
            f'"first_byte":{self.first - self.start:.6f}{gap}}}'
        )

    def phase(self, received: int) -> str:
        """How far it got, with `received` bytes: `wait` for a first byte, within the `headers`, or in the `body`."""
        if self.first is not None:
            return "body"
        return "headers" if received else "wait"

    def waits(self) -> Operation | None:
        """What its coroutine is waiting for."""
        if not self.waiting:
            return None
        attrs = self.attrs
        limit = self.limit if self.first is not None else (attrs.get("timeout") or {}).get("read")
        count = self.floor if self.first is not None else 0
        peer = f"{bracketed(str(attrs.get('host')))}:{attrs.get('port')}"
        return Operation("recv", peer, limit, self.since, self.id, self.waiter, count, self.task)

    def within(self) -> Exchange | None:
        """Its first exchange."""
        latest, others = self.exchange, self.others  # in this order: a second one moves the first
        return others[0] if others else latest

    def release(self) -> None:
        """Everything was said: let go of what that took, and in time of the span."""
        self.recorder.forget(self.id)
        self.raw = self.headers = self.exchange = self.others = self._attrs = self.task = None

    # --- what happens to it --------------------------------------------------------------------------------------

    def leave(self) -> None:
        """The library returned to its caller: what comes next is not this request's doing."""
        token, self.token = self.token, None
        if token is not None:
            try:
                current.reset(token)
            except ValueError:
                current.set(None)

    def answered(self, status: int, headers: Any) -> None:
        """Status line and headers are there, and the library returns; `headers`: pairs, or a mapping."""
        recorder = self.recorder
        self.first = self.last = _monotonic() - recorder.zero
        self.status, self.headers = status, headers
        self.waiting = False
        recorder.moved = True
        token = self.token
        if token is not None:  # `leave`, written out
            self.token = None
            try:
                current.reset(token)
            except ValueError:
                current.set(None)

    def pause(self) -> None:
        """The caller is busy with what it has; nobody waits for bytes."""
        self.waiting = False

    def wait(self, limit: Any, received: int = 0) -> None:
        """A coroutine waits for more of the body, of which `received` bytes are there; 0: those counted here.

        `limit`: wire form of the timeout.
        """
        if not self.waiting:
            self.since, self.waiter, self.task = self.recorder.now(), _get_ident(), running_task()
            self.limit, self.floor = limit, received or self.received or 1
            self.waiting = True

    def part(self, count: int) -> None:
        """`count` bytes of the body arrived."""
        recorder = self.recorder
        now = _monotonic() - recorder.zero
        gap = now - self.last
        if gap > self.gap:  # noqa: PLR1730 - `max` is a call
            self.gap = gap
        self.last = now
        self.received += count
        self.waiting = False
        recorder.moved = True

    def failed(self, error: BaseException) -> None:
        """It raised, before the answer or within the body."""
        self.finish(classify(error))

    def cut(self, failure: Failure | None) -> None:
        """End it from without."""
        self.finish(failure)

    def finish(self, failure: Failure | None = None) -> None:
        """It is over: the body was read, or closed unread, or it failed. Only the first call counts."""
        if self.token is not None:
            self.leave()
        self.waiting = False
        if self.end is not None:
            return
        recorder = self.recorder
        end = _monotonic() - recorder.zero
        status = self.status
        if failure is None and status >= _FAILING and (kind := of_status(status)) is not None:
            failure = Failure(kind, f"HTTP {status}")
        exchange = self.exchange
        if exchange is not None:
            if exchange.end is None:
                exchange.over(None if exchange.received else failure)
            for each in self.others or ():
                if each.end is None:
                    each.over(None if each.received else failure)
        self.failure = failure
        self.end = end
        # Not where it began in another step, or in the process this one was forked from.
        if self.state and self.id in recorder._spans:
            recorder._spool.waiting.append(self)
