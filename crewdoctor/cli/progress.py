"""Progress on stderr: one live line on a terminal, plain lines elsewhere. stdout stays the report's (law 14)."""

from __future__ import annotations

import os
import shutil
import time
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Plan
from crewdoctor.report.plan_text import cost
from crewdoctor.supervisor import Progress
from crewdoctor.wire.redact import clean, redact

if TYPE_CHECKING:
    from typing_extensions import Self

_ERASE = "\r\x1b[2K"
_DIM, _RESET = "\x1b[2m", "\x1b[0m"


class Screen:
    """The part of stderr crewdoctor may use while it works."""

    def __init__(self, stream: TextIO, *, quiet: bool = False, color: bool = False) -> None:
        self._stream = stream
        self._quiet = quiet
        self._color = color
        self._live = not quiet and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._shown = False
        self._running: dict[str, Progress] = {}
        self._zero = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._erase()

    def say(self, text: str) -> None:
        """One line that stays."""
        if self._quiet:
            return
        self._erase()
        row = f"crewdoctor: {clean(redact(text))}"
        self._write((f"{_DIM}{row}{_RESET}" if self._color else row) + "\n")

    def announce(self, inventory: Inventory, plan: Plan, options: Options) -> None:
        """Say what a stage will do and may cost before it starts."""
        if not plan.steps:
            return
        whose = "SIMULATED model (embedded endpoint)" if options.llm == "embedded" and inventory.llms else "own model"
        steps = len(plan.steps)
        self.say(f"{steps} step{'s' if steps > 1 else ''}, {whose}, {cost([plan])}")
        for step in plan.steps:
            if step.probe == "crew.kickoff":
                self.say(f"this runs the full crew once: {step.announce or step.subject}")

    def show(self, progress: Progress) -> None:
        """Keep the live line on what runs longest; where no terminal is, a line for every step that ended."""
        running = progress.state == "running"
        if running:
            self._running[progress.step_id] = progress
        else:
            self._running.pop(progress.step_id, None)
        if self._live:
            self._draw()
        elif not running:
            reason = f": {progress.waiting}" if progress.waiting else ""
            self.say(f"{self._clock()}  {progress.state:<7}  {progress.announce or progress.step_id}{reason}")

    def _draw(self) -> None:
        if not self._running:
            return
        first = next(iter(self._running.values()))
        waiting = f": {first.waiting}" if first.waiting else ""
        more = f"  (+{len(self._running) - 1} more)" if len(self._running) > 1 else ""
        left = f", {first.remaining:.0f} s left" if first.waiting else ""
        text = f"{self._clock()}  {clean(redact((first.announce or first.step_id) + waiting))}{left}{more}"
        room = max(20, shutil.get_terminal_size((80, 24)).columns - 1)
        self._write(f"{_ERASE}{text[:room]}")
        self._shown = True

    def _clock(self) -> str:
        return f"{time.monotonic() - self._zero:5.1f} s"

    def _erase(self) -> None:
        if self._shown:
            self._write(_ERASE)
            self._shown = False

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._quiet, self._live = True, False  # stderr was closed; the diagnosis goes on
