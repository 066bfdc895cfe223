"""A step that runs, as seen from the parent: what its frames have told so far."""

from __future__ import annotations

import os
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.model.span import Event, Stack
from crewdoctor.wire.codec import decode
from crewdoctor.wire.fold import seconds, span_of
from crewdoctor.wire.frames import FRAME_KINDS, LONGEST_LINE, from_line
from crewdoctor.wire.redact import clean, redact

_OURS = {"id": "", "step": "", "layer": Layer.TOOL, "at": 0.0}
"""What the pipe itself says of a frame, or nobody asks."""
_READ = 1 << 16
_TAIL = 4096
_STACKS_KEPT = 32


@dataclass(slots=True)
class LiveStep:
    """Public reading for `Supervisor.stalled` and for progress; fed by the supervisor alone.

    All times are seconds since the recording's zero.
    """

    step: Step
    number: int
    started: float
    """When it began; until its process says so, when it was ordered."""
    last_moved: float
    """Of the last frame that is no `stack`: bytes, spans, events and facts move, being looked at does not."""
    begun: bool = False
    open_spans: dict[str, dict[str, Any]] = field(default_factory=dict)
    """`open` frames without a `close`, by id, oldest first."""
    stacks: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_STACKS_KEPT))
    """The latest `stack` frames, oldest first."""
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many spans of a name and subject have ended in a failure."""
    failed_as: dict[tuple[str, str, str], float] = field(default_factory=dict)
    """When a span of a name and subject last ended in a failure of a kind."""
    facts: dict[str, Any] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The latest event of each name: its attributes."""
    end: dict[str, Any] | None = None
    """The `end` frame."""
    garbled: int = 0
    """Lines on its pipe that were no frames."""
    _held: bytearray = field(default_factory=bytearray)
    _tail: bytearray = field(default_factory=bytearray)

    @property
    def deadline(self) -> float:
        """When it will be ended."""
        return self.started + self.step.deadline

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take bytes from the frames pipe; returns the frames that are complete now."""
        self._held += data
        if b"\n" not in data:
            if len(self._held) > LONGEST_LINE:
                self._held.clear()
                self.garbled += 1
            return []
        *lines, rest = bytes(self._held).split(b"\n")
        self._held = bytearray(rest)
        frames = []
        for line in lines:
            frame = from_line(line)
            if frame is None or frame["k"] not in FRAME_KINDS or not self._take(frame):
                self.garbled += 1
            else:
                frames.append({**frame, "step": self.step.id} if frame["k"] != "close" else frame)
        return frames

    def _take(self, frame: dict[str, Any]) -> bool:
        """Note what a frame says; False when it lacks what its kind must have."""
        try:
            self._note(frame)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
            return False
        return True

    def _note(self, frame: dict[str, Any]) -> None:
        kind = frame["k"]
        told = (frame[name] for name in ("at", "start", "end") if frame.get(name) is not None)
        at = seconds(next(told, self.last_moved))
        if kind == "begin":
            self.begun, self.started = True, at
        elif kind == "open":
            self.open_spans[span_of({**_OURS, **frame}).id] = frame
        elif kind == "close":
            ended = self.open_spans.pop(str(frame["id"]), None)
            if ended is not None and frame.get("failure"):
                name, subject = str(ended.get("name", "")), str(ended.get("subject") or "")
                self.failed[name, subject] += 1
                self.failed_as[name, subject, str(frame["failure"]["kind"])] = at
        elif kind == "stack":
            decode(Stack, {**_OURS, **frame})
            self.stacks.append({**frame, "at": at})
            return
        elif kind == "fact":
            self.facts[str(frame["name"])] = frame["value"]
        elif kind == "event":
            self.events[decode(Event, {**_OURS, **frame}).name] = frame["attrs"]
        elif kind == "end":
            self.end = {**frame, "at": at}
        if kind not in {"own", "dropped"}:
            self.last_moved = max(self.last_moved, at)

    def heard(self, data: bytes) -> None:
        """Take bytes of its stderr; the tail is kept."""
        self._tail += data
        del self._tail[:-_TAIL]

    @property
    def last_words(self) -> str:
        """The last line it wrote to stderr, redacted and made printable."""
        lines = [line for line in self._tail.decode("utf-8", "replace").splitlines() if line.strip()]
        return clean(redact(lines[-1].strip()))[:300] if lines else ""

    @property
    def waiting(self) -> str:
        """What it waits for: the last stack if it is fresh, else the youngest open span; empty for nothing known."""
        if self.stacks and self.stacks[-1]["at"] >= self.last_moved:
            return told(self.stacks[-1])
        if self.open_spans:
            span = next(reversed(self.open_spans.values()))
            attrs = span.get("attrs") or {}
            peer = attrs.get("peer") or (f"{attrs['host']}:{attrs.get('port', '')}" if attrs.get("host") else "")
            return clean(" ".join(str(part) for part in (span.get("name"), peer or span.get("subject")) if part))
        return ""


def told(stack: dict[str, Any]) -> str:
    """One stack in a few words: `recv from api.local:443 at tools.py:57`."""
    attrs = stack.get("attrs") or {}
    peer = f" from {attrs['peer']}" if attrs.get("peer") else ""
    frame = stack.get("user_frame") or {}
    place = f" at {os.path.basename(str(frame.get('file')))}:{frame.get('line')}" if frame else ""  # noqa: PTH119 - text
    return clean(f"{stack.get('waiting', 'unknown')}{peer}{place}")


def read_ready(fd: int) -> bytes | None:
    """Read what a non-blocking descriptor has; empty when it has nothing, None at its end."""
    try:
        return os.read(fd, _READ) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None
