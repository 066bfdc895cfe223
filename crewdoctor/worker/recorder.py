"""Spans, events, stacks and facts of one step, written as frames the moment they happen.

Operations on the wire are the exception: they wait for the next tick (`worker/spool.py`).

One Recorder lives in each worker process; a fork of the zygote arms it with the pipe of its step. Unarmed (while crewai
is imported, in a process the user's code forked) it records nothing.

All times a caller passes or reads here are `Recorder.now()`; only `deadline` is `time.monotonic()`.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, suppress
from itertools import count
from typing import Any

from crewdoctor.model.layer import Layer
from crewdoctor.model.span import Failure
from crewdoctor.wire.codec import encode
from crewdoctor.wire.lines import LONGEST_TEXT, clipped, line_of
from crewdoctor.wire.redact import redact
from crewdoctor.wire.thinning import WIRE
from crewdoctor.worker.bench_parts import BenchParts
from crewdoctor.worker.late import when_imported
from crewdoctor.worker.operation import Known, Operation, Recorded, RecordedSpan, current, loop, running_task
from crewdoctor.worker.spool import MOST_WAITING, Spool

KEPT, KEPT_ON_WIRE = 4096, 128
"""Ended spans that are remembered: what starts late asks for the subject above it. Of the wire few: a request that
walks through memory no cache holds any more pays for it."""
_MOVE_EVERY = 0.25


class Recorder(BenchParts):
    """Implements `model.probe.Bench`, and is what taps write to."""

    def __init__(self) -> None:
        super().__init__()
        self.zero = time.monotonic()
        self.step = ""
        self.layer = Layer.SETTINGS
        self.subject = ""
        self.number = 0
        self.inflight: dict[int, Operation] = {}
        """Operations that were entered and not left; `in_flight` knows those of sockets as well."""
        self.also_in_flight: list[Callable[[], dict[Hashable, Operation]]] = []
        """Taps whose operations are told by their own state, so that a receive costs no entry."""
        self.moved = False
        """Bytes moved: `move`, for whoever has no time for a call. The next tick tells."""
        self.thread_spans: dict[int, str] = {}
        """Thread id → span carried into it (`worker/context.py`)."""
        self.current = current
        self.own_lines: list[str] = []
        """What taps said before a pipe was there; the zygote hands it to the supervisor."""
        self.idle = True
        """Whether frames go nowhere: a plain attribute, asked by every tap at every call."""
        self._spool = Spool(-1, "")
        self._reset()
        when_imported("asyncio", loop.asks)
        os.register_at_fork(before=self._forks, after_in_parent=self._goes_on, after_in_child=self._forked)

    def _reset(self) -> None:
        self._counter = count(1)
        self._operations = count(1)
        self._spans: dict[str, Recorded] = {}
        self._ended: dict[bool, deque[str]] = {True: deque(), False: deque()}
        self._moved, self.moved = 0.0, False
        self.inflight.clear()
        self.thread_spans.clear()

    def _forks(self) -> None:
        self._spool.stop()
        self.flush()

    def _goes_on(self) -> None:
        if not self.idle:
            self._spool.start()

    def _forked(self) -> None:
        self.idle = True
        self._spool = Spool(-1, "")
        self._reset()

    def arm(
        self, fd: int, *, step: str, number: int, zero: float, seconds: float, layer: Layer, subject: str = ""
    ) -> None:
        """Write the frames of `step` to `fd` from now on. `seconds` until its deadline."""
        self._reset()
        self.zero, self.step, self.number, self.layer, self.subject = zero, step, number, layer, subject
        self.deadline = time.monotonic() + seconds
        self.writes_blocked = 0
        self.stopped_writes.clear()
        self._spool = Spool(fd, step, self._ticked)
        self._spool.start()
        self.idle = False
        self._frame({"k": "begin", "step": step, "at": self.now(), "pid": os.getpid()})

    def disarm(self) -> None:
        """Write what waits, and record nothing from now on; the pipe is closed."""
        self.idle = True
        fd = self._spool.close()
        if fd >= 0:
            os.close(fd)

    armed = property(lambda self: not self.idle, doc="Whether frames go anywhere.")

    def now(self) -> float:
        """Seconds since the recording's zero."""
        return time.monotonic() - self.zero

    # --- spans ---------------------------------------------------------------------------------------------------

    def open(
        self,
        name: str,
        /,
        *,
        subject: str = "",
        layer: Layer | None = None,
        parent: str | None = None,
        start: float | None = None,
        **attrs: Any,
    ) -> str:
        """Start a span and return its id. Subject and layer default to the parent's.

        The frame is written at once; that of an operation on the wire within a tick, with all that came before.
        """
        if self.idle:
            return ""
        spans, thread_id = self._spans, threading.get_ident()
        parent = parent or current.get() or self.thread_spans.get(thread_id)
        above = spans.get(parent) if parent else None
        if above is None:
            of, on = subject or self.subject, (layer or self.layer).value
        else:
            of, on = subject or above.subject, layer.value if layer else above.layer
        span_id = f"{self.number}.{next(self._counter)}"
        began = time.monotonic() - self.zero if start is None else start
        known = spans[span_id] = Known(span_id, name, of, on, thread_id, began, above, attrs)
        spool = self._spool
        spool.waiting.append(known)
        if name not in WIRE or len(spool.waiting) > MOST_WAITING:
            spool.flush()
        return span_id

    def close(self, span_id: str, /, *, failure: Failure | None = None, end: float | None = None, **attrs: Any) -> None:
        """End a span; attributes are merged over those it was opened with. An unknown or ended id is ignored."""
        known = self._spans.get(span_id)
        if self.idle or known is None or known.end is not None:
            return
        if not isinstance(known, Known):
            known.cut(failure)
            return
        known.added, known.failure = attrs, failure
        known.end = time.monotonic() - self.zero if end is None else end
        spool, on_wire = self._spool, known.name in WIRE
        if known.state:
            spool.waiting.append(known)
        if not on_wire:
            spool.flush()
        ended = self._ended[on_wire]
        ended.append(span_id)
        if len(ended) > (KEPT_ON_WIRE if on_wire else KEPT):
            with suppress(IndexError):
                self._spans.pop(ended.popleft(), None)

    def forget(self, span_id: str) -> None:
        """A span of the wire was told, all of it: remember it until `KEPT_ON_WIRE` others were."""
        if span_id in self._spans:
            ended = self._ended[True]
            ended.append(span_id)
            if len(ended) > KEPT_ON_WIRE:
                with suppress(IndexError):
                    self._spans.pop(ended.popleft(), None)

    def span(
        self, name: str, /, *, subject: str = "", layer: Layer | None = None, **attrs: Any
    ) -> AbstractContextManager[RecordedSpan]:
        """Time an operation as the current span. An exception passing through is classified and re-raised."""
        return RecordedSpan(self, name, subject, layer, attrs)

    def open_spans(self) -> dict[str, Recorded]:
        """Every span that is going on, oldest first."""
        going: dict[str, Recorded] = {}
        for span_id, known in list(self._spans.items()):
            if known.open:
                going[span_id] = known
                within = known.within()
                if within is not None and within.open:
                    going[within.id] = within
        return going

    # --- operations in flight ------------------------------------------------------------------------------------

    def enter(self, kind: str, *, peer: str = "", timeout: Any = None, span: str | None = None) -> int:
        """Note that this thread (or task) now blocks; `leave` takes the key. For the watchdog; writes no frame."""
        key = next(self._operations)
        began, thread_id = time.monotonic() - self.zero, threading.get_ident()
        self.inflight[key] = Operation(kind, peer, timeout, began, span or current.get(), thread_id, 0, running_task())
        return key

    def leave(self, key: int) -> None:
        """It no longer blocks."""
        self.inflight.pop(key, None)

    def in_flight(self) -> dict[Hashable, Operation]:
        """Everything that blocks right now, by a key that stays while it does."""
        held: dict[Hashable, Operation] = dict(self.inflight.copy().items())
        for more in self.also_in_flight:
            held.update(more())
        return held

    # --- moments and facts ---------------------------------------------------------------------------------------

    def event(self, name: str, /, **attrs: Any) -> None:
        """Record a moment."""
        if name == "blocked.would_write":
            self.stopped_writes.append(f"{attrs.get('what', '')} {attrs.get('target', '')}".strip())
        if not self.idle:
            record = {"k": "event", "id": f"{self.number}.{next(self._counter)}", "step": self.step, "name": name}
            self._frame({**record, "at": self.now(), "attrs": clipped(attrs)})

    def stack(self, record: dict[str, Any]) -> None:
        """Record what is blocked: `span waiting frames user_frame thread seconds attrs` (`worker/watchdog.py`)."""
        if not self.idle:
            head = {"k": "stack", "id": f"{self.number}.{next(self._counter)}", "step": self.step, "at": self.now()}
            self._frame({**head, **record})

    def fact(self, name: str, value: Any) -> None:
        """Note a JSON result of the step; the last one of a name wins."""
        self._frame({"k": "fact", "step": self.step, "name": name, "value": value})

    def inventory(self, value: Any) -> None:
        """Record what the crew of a program that records itself consists of."""
        self._frame({"k": "inventory", "inventory": value})

    def own(self, text: str) -> None:
        """Write crewdoctor's own line: a tap that disabled itself. Kept for the supervisor when no step runs."""
        if self.idle:
            self.own_lines.append(redact(text)[:LONGEST_TEXT])
        else:
            self._frame({"k": "own", "step": self.step, "at": self.now(), "text": text[:LONGEST_TEXT]})

    def move(self) -> None:
        """Tell the supervisor that bytes moved within a span; at most four times a second."""
        now = time.monotonic()
        if now - self._moved >= _MOVE_EVERY:
            self._moved, self.moved = now, False
            self._lost()
            self._frame({"k": "move", "step": self.step, "at": self.now()})

    def _ticked(self) -> None:
        if self.moved:
            self.move()

    def end(self, status: str, reason: str = "", failure: Failure | None = None) -> None:
        """Write the last frame of the step."""
        self.flush()
        self._lost(last=True)
        record = {"k": "end", "step": self.step, "at": self.now(), "status": status, "recorder": self._spool.cost()}
        self._frame({**record, "reason": reason[:LONGEST_TEXT], "failure": encode(failure)})

    def made(self, name: str) -> list[tuple[dict[str, Any], Failure | None]]:
        """Attributes and failures of the spans called `name`, as far as they are remembered."""
        return [
            ({**each.attrs, **each.added}, each.failure) for each in self._spans.copy().values() if each.name == name
        ]

    # --- the pipe ------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what waits."""
        if not self.idle:
            self._spool.flush()

    def _frame(self, record: dict[str, Any]) -> None:
        """Redact and write one line, whole, after everything that waits."""
        if not self.idle:
            self._spool.put(line_of(record))

    def _lost(self, *, last: bool = False) -> None:
        """Say what was dropped, by name."""
        if lost := self._spool.lost(last=last):
            self._frame({"k": "dropped", "step": self.step, "at": self.now(), "spans": lost})
