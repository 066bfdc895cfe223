"""Frames on their way to the pipe: what a step says goes out at once, operations on the wire within 40 ms, in batches.

A request over loopback takes 100 µs; writing four lines the moment they happen would cost it three times that. So spans
of the wire (`wire/thinning.py` names them) wait in a queue, in order, until the next tick of a thread of ours; anything
else that is written takes the whole queue with it, first. A hang is told all the same: what it hangs in is open for
longer than a tick. A process that is killed outright takes its last tick along (docs/design/0002-the-recorder.md).
"""

from __future__ import annotations

import _thread
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from itertools import islice

from crewdoctor.wire.lines import Lines, line_of
from crewdoctor.wire.thinning import WIRE, Thinning
from crewdoctor.worker.operation import DROPPED, OVER, WRITTEN, Recorded

TICK = 0.04
"""Seconds between two looks at the queue: an open span is on its way to the recording no later."""
MOST_SPANS = 50_000
"""Written per step; beyond it only spans that are no operations on the wire, up to twice as many."""
MOST_BYTES = 64 << 20
"""The same in bytes."""
MOST_WAITING = 2_000
"""A queue so long is written by whoever lengthens it: a busy program must not outrun the thread."""
_BATCH = 256
_LOST_EVERY = 1.0


class Spool:
    """The queue of one step, its writer, and its bounds. Nothing here raises."""

    def __init__(self, fd: int, step: str, ticked: Callable[[], object] = bool) -> None:
        self.seconds = 0.0
        """Spent on encoding, redacting and writing, so far."""
        self.bytes = 0
        self.waiting: deque[Recorded | bytes] = deque()
        self.dropped: Counter[str] = Counter()
        """Spans that were not written, by name."""
        self._said = False
        """Whether there is a line of ours on a span that could not be put into words."""
        self._fd, self._step = fd, step
        self._lines = Lines(step)
        self._lines_out: list[bytes] = []
        self._thinning = Thinning()
        self._written = 0
        self._told, self._told_at = 0, 0.0
        self._lock = threading.RLock()
        self._writing = False
        self._stop, self._stopped = _thread.allocate_lock(), _thread.allocate_lock()
        self._ticking = False
        self._ticked = ticked
        """Called at every tick, in our own thread."""

    # --- the thread ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start to tick. Not a `threading.Thread`: the user's program must not find one more of those."""
        if not self._ticking:
            self._stop.acquire()
            self._stopped.acquire()
            self._ticking = True
            _thread.start_new_thread(self._tick, (self._stop, self._stopped))

    def stop(self) -> None:
        """Tick no more: no thread of ours may run while the program forks."""
        if self._ticking:
            self._ticking = False
            self._stop.release()
            self._stopped.acquire(timeout=2.0)
            self._stop, self._stopped = _thread.allocate_lock(), _thread.allocate_lock()

    def _tick(self, stop: _thread.LockType, stopped: _thread.LockType) -> None:
        try:
            while not stop.acquire(timeout=TICK):
                if self.waiting:
                    self.flush()
                self._ticked()
        finally:
            stopped.release()

    def close(self) -> int:
        """Write what is left and stop; returns the descriptor, -1 where it is gone."""
        self.stop()
        self.flush()
        fd, self._fd = self._fd, -1
        return fd

    # --- writing -------------------------------------------------------------------------------------------------

    def put(self, line: bytes) -> None:
        """Write a line, and everything before it."""
        self.waiting.append(line)
        self.flush()

    def flush(self) -> None:
        """Write the queue. Re-entered from a signal handler or a finaliser, it leaves the rest to the call it is in."""
        with self._lock:
            if self._writing:
                return
            if self._fd < 0:
                self._let_go()
                return
            self._writing = True
            began = time.perf_counter()
            try:
                self._write_all()
            except OSError:
                self._fd = -1  # the supervisor is gone, or user code closed the pipe: nobody is left to tell
            finally:
                self._writing = False
                self.seconds += time.perf_counter() - began

    def _let_go(self) -> None:
        """Nobody reads any more."""
        while self.waiting:
            each = self.waiting.popleft()
            if isinstance(each, Recorded) and each.state < OVER:
                each.state = DROPPED
            if isinstance(each, Recorded) and each.end is not None:
                each.release()

    def _write_all(self) -> None:
        waiting, lines = self.waiting, self._lines_out
        while waiting or lines:  # lines: of a call that a signal's exception ended
            while waiting and len(lines) < _BATCH:
                lines.append(self._line(waiting.popleft()))
            if self._lines.untold and not self._said:
                self._said = True
                lines.append(line_of({"k": "own", "step": self._step, "at": 0.0, "text": self._lines.untold}))
            self._write(b"".join(lines))
            lines.clear()

    def _write(self, data: bytes) -> None:
        self.bytes += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def _line(self, each: Recorded | bytes) -> bytes:
        """One record as its line or lines; empty where there is nothing (more) to write."""
        if isinstance(each, bytes):
            return each
        # Who ends a span sets `end` and then asks whether its start is written: whatever comes between, one writes it.
        before = each.state
        if before >= OVER:
            if before == DROPPED and each.end is not None:
                each.release()
            return b""
        each.state = WRITTEN
        within = each.within() if before != WRITTEN else None  # asked only now: what begins later sees the state
        ended = each.end is not None
        if before == WRITTEN:
            line = self._lines.closed(each) if ended else b""
        elif self._drops(each, ended=ended):
            each.state = DROPPED
            if ended:
                each.release()
            line, ended = b"", False
        else:
            above = each.above
            while above is not None and above.state == DROPPED:
                above = above.above
            line = self._lines.opened(each, above.id if above is not None else None)
            if ended:
                line += self._lines.closed(each)
        if ended:
            each.state = OVER
            each.release()
        return line if within is None else line + self._line(within)

    def _drops(self, each: Recorded, *, ended: bool) -> bool:
        """Whether a span is left out: never one that failed or lasts, until there is no room at all."""
        name = each.name
        on_wire = name in WIRE
        full = self._written >= MOST_SPANS or self.bytes >= MOST_BYTES
        if full and (on_wire or self._written >= 2 * MOST_SPANS or self.bytes >= 2 * MOST_BYTES):
            self.dropped[name] += 1
            return True
        if on_wire and ended and each.failure is None:
            above = each.above
            beneath = above is not None and above.name in WIRE
            if above.state == DROPPED if beneath and above is not None else not self._thinning.keeps(name, each.place):
                self.dropped[name] += 1
                return True
        self._written += 1
        return False

    def lost(self, *, last: bool = False) -> dict[str, int]:
        """What was dropped so far, by name, where that has not been said yet; in between once a second at most."""
        total, now = self.dropped.total(), time.monotonic()
        if total == self._told or not (last or now - self._told_at >= _LOST_EVERY):
            return {}
        self._told, self._told_at = total, now
        return dict(islice(sorted(self.dropped.items()), 100))

    def cost(self) -> dict[str, float]:
        """What writing this step has cost so far."""
        return {"seconds": round(self.seconds, 6), "bytes": self.bytes, "spans": self._written}
