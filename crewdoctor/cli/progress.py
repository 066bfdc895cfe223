"""Progress on stderr: a few live rows on a terminal, plain lines elsewhere. stdout stays the report's (law 14)."""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from crewdoctor.cli.live import Area, Row, fitted, width
from crewdoctor.model.inventory import Inventory
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Plan
from crewdoctor.report.plan_text import cost
from crewdoctor.supervisor import Progress
from crewdoctor.wire.redact import clean, redact

if TYPE_CHECKING:
    from typing_extensions import Self

_DIM, _BOLD = "2", "1"
_NAME = "crewdoctor: "
_LAYER = 12
_CLOCK = 7
_MOST_STEPS = 5
_TWO_ROWS_UP_TO = 3
"""Steps that may take a second row, for what they wait for; more of them take one each."""


class Screen:
    """The part of stderr crewdoctor may use while it works."""

    def __init__(self, stream: TextIO, *, quiet: bool = False, color: bool = False, deadline: float = 0.0) -> None:
        self._stream = stream
        self._quiet = quiet
        self._color = color
        self._live = not quiet and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._area = Area(stream, color=color)
        self._running: dict[str, Progress] = {}
        self._done = 0
        self._planned = 0
        self._deadline = deadline
        self._zero = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._try(self._area.erase)

    def say(self, text: str) -> None:
        """One line that stays."""
        if self._quiet:
            return
        self._try(self._area.erase)
        told = f"{_NAME}{clean(redact(text))}"
        if self._live:
            columns = self._area.size()[0]
            hang = " " * len(_NAME)
            told = textwrap.fill(told, columns, subsequent_indent=hang, break_on_hyphens=False, break_long_words=False)
        self._try(lambda: self._write((f"\x1b[{_DIM}m{told}\x1b[0m" if self._color else told) + "\n"))

    def announce(self, inventory: Inventory, plan: Plan, options: Options) -> None:
        """Say what a stage will do and may cost before it starts."""
        if not plan.steps:
            return
        whose = "SIMULATED model (embedded endpoint)" if options.llm == "embedded" and inventory.llms else "own model"
        steps = len(plan.steps)
        self._planned += steps
        self.say(f"{steps} step{'s' if steps > 1 else ''}, {whose}, {cost([plan], options)}")
        for step in plan.steps:
            if step.probe == "crew.kickoff":
                self.say(f"this runs the full crew once: {step.announce or step.subject}")

    def show(self, progress: Progress) -> None:
        """Keep the rows on what runs; where no terminal is, a line for every step that ended."""
        if progress.going:
            self._running[progress.step_id] = progress
        else:
            self._done += 1
            self._running.pop(progress.step_id, None)
        if self._live:
            self._try(lambda: self._area.draw(list(self._rows(self._area.size()[0]))))
        elif not progress.going:
            reason = f": {progress.waiting}" if progress.waiting else ""
            state = "done" if progress.state == "ok" else progress.state  # what it found is the report's to say
            self.say(f"{self._clock()}  {state:<7}  {progress.announce or progress.step_id}{reason}")

    def _rows(self, columns: int) -> Iterator[Row]:
        yield self._head()
        held = list(self._running.values())
        for progress in held[:_MOST_STEPS]:
            yield from _step(progress, columns, roomy=len(held) <= _TWO_ROWS_UP_TO)
        if len(held) > _MOST_STEPS:
            yield [(f"  and {len(held) - _MOST_STEPS} more", _DIM)]

    def _head(self) -> Row:
        left = self._deadline - (time.monotonic() - self._zero)
        planned = f" of {max(self._planned + 1, self._done)}" if self._planned else ""
        told = f"{self._done}{planned} steps done"
        if self._deadline:
            told += f", deadline in {left:.0f} s" if left > 0 else ", deadline passed, ended once nothing moves"
        return [(f"{self._clock()}  ", _BOLD), (told, _DIM)]

    def _clock(self) -> str:
        return f"{time.monotonic() - self._zero:5.1f} s"

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def _try(self, show: Callable[[], None]) -> None:
        try:
            show()
        except (OSError, ValueError):
            self._quiet, self._live = True, False  # stderr was closed; the diagnosis goes on


def _step(progress: Progress, columns: int, *, roomy: bool) -> Iterator[Row]:
    """`tool        call tool search alone: recv from api.local:443      12 s`; on two rows where one is too short."""
    layer = f"  {progress.layer.value:<{_LAYER - 2}}"
    told = clean(redact(progress.announce or progress.step_id))
    waiting = clean(redact(progress.waiting))
    clock = f"{progress.remaining:.0f} s left" if progress.state == "running" else ""
    room = columns - _LAYER - _CLOCK - 6
    together = not waiting or width(told) + 2 + width(waiting) <= room
    if not together and not roomy:
        half = max(room // 2, room - 2 - width(waiting))
        told = fitted(told, half)
        waiting, together = fitted(waiting, room - 2 - width(told)), True
    beside = f": {waiting}" if waiting and together else ""
    told = fitted(told, room)
    gap = " " * max(1, columns - _LAYER - width(told) - width(beside) - len(clock))
    yield [(layer, _BOLD), (told, ""), (beside, _DIM), (f"{gap}{clock}", _DIM)]
    if not together:
        yield [(f"{' ' * _LAYER}waits: {waiting}", _DIM)]
