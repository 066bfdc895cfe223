"""What a recorder is to a probe besides its frames: `model.probe.Bench`, less what is written."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from crewdoctor.model.probe import CannotProbe, LoadedCrew, Redirected
from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.wire.codec import encode
from crewdoctor.wire.lines import LONGEST_TEXT
from crewdoctor.worker.answers import error_in
from crewdoctor.worker.arguments import realistic
from crewdoctor.worker.stacks import described, places, waiting


class BenchParts:
    """The deadline, the crew, the guard against writes."""

    def __init__(self) -> None:
        self.deadline = float("inf")
        """`time.monotonic()`."""
        self.stopped_writes: list[str] = []
        """What the guard has stopped in this step, in words: its events `blocked.would_write`."""
        self.may_write: frozenset[str] = frozenset()
        self.writes_blocked = 0
        """Above zero: taps stop what may change the world (`blocked.would_write`). Process-wide: tools use threads."""
        self.load: Callable[[], LoadedCrew] | None = None

    def stack(self, record: dict[str, Any]) -> None:
        """Record what is blocked."""
        raise NotImplementedError

    def own(self, text: str) -> None:
        """Write crewdoctor's own line."""
        raise NotImplementedError

    def classify(self, error: BaseException) -> Failure:
        """Classify an exception into the closed vocabulary."""
        try:
            from crewdoctor.worker.classify import classify

            return classify(error)
        except Exception as own:
            self.own(f"classify failed on {type(error).__name__}: {own!r}")
            return Failure(FailureKind.UNKNOWN, text=str(error)[:LONGEST_TEXT], exception=type(error).__qualname__)

    def remaining(self) -> float:
        """Seconds until this step's deadline."""
        return max(0.0, self.deadline - time.monotonic())

    def loaded(self) -> LoadedCrew:
        """Return the user's crew. Raises CannotProbe when it does not load, or in a step that has none."""
        if self.load is None:
            raise CannotProbe("this step runs without the crew")
        return self.load()

    @contextmanager
    def guard_writes(self, *, allowed: bool, tools: Sequence[str] = ()) -> Iterator[None]:
        """Stop calls that may change the world at the tap, unless `allowed`; `tools` (subjects) may."""
        blocked, self.may_write = 0 if allowed else 1, frozenset(tools)
        self.writes_blocked += blocked
        try:
            yield
        finally:
            self.writes_blocked -= blocked

    def blocked(self) -> tuple[str, ...]:
        """What the guard has stopped in this step so far."""
        return tuple(self.stopped_writes)

    def redirect(self, ports: Sequence[int] = ()) -> Redirected:
        """Lead this process from now on. Raises CannotProbe."""
        from crewdoctor.worker.redirect import redirect

        return redirect(ports)

    def look_at(self, thread: int, *, seconds: float, span: str = "", **attrs: Any) -> None:
        """Record where a thread is right now; it has been held there for `seconds`."""
        stack = list(places(sys._current_frames().get(thread)))
        frames, user = described(stack)
        told = {"frames": encode(frames), "user_frame": encode(user), "thread": str(thread), "seconds": seconds}
        self.stack({"span": span or None, "waiting": waiting(stack) or "unknown", "attrs": attrs, **told})

    arguments, error_in = staticmethod(realistic), staticmethod(error_in)
