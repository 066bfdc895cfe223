"""The recording: everything a diagnosis learned, one JSON line per fact, written as it happens.

A line is complete when it ends in a newline. Whatever kills crewdoctor leaves at most the last line cut, and reading
drops just that.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from crewdoctor import __version__
from crewdoctor.model.inventory import Inventory
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Plan, Step
from crewdoctor.model.recording import Header, Recording
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.span import Event, Span, Stack
from crewdoctor.wire.codec import WireError, decode, encode
from crewdoctor.wire.frames import FORMAT, from_line, to_line
from crewdoctor.wire.program import Processes, given_up, inspected, last_word, merged, results_of
from crewdoctor.wire.redact import MASK, redact_json


class RecordingError(ValueError):
    """A file that is no recording this version can read; the message is one sentence."""


def header(options: Options) -> dict[str, Any]:
    """Return the first record. The only place where the wall clock is read."""
    if not options.include_content:
        options = replace(options, inputs=_masked(options.inputs), tool_arguments=_masked(options.tool_arguments))
    value = Header(
        format=FORMAT,
        crewdoctor=__version__,
        started=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        python=platform.python_version(),
        platform=f"{sys.platform} {platform.machine()}",
        cpus=os.cpu_count() or 0,
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
        options=options,
    )
    return {"k": "header", "header": encode(value)}


def _masked(held: dict[str, Any]) -> dict[str, Any]:
    """Names without their values: an input is part of the prompt."""
    return {name: _masked(each) if isinstance(each, dict) else MASK for name, each in held.items()}


def _without_content(record: dict[str, Any]) -> dict[str, Any]:
    """A plan or a result whose steps name what they were given, and hold none of it."""
    if record["k"] == "plan":
        return {**record, "plan": {**record["plan"], "steps": [_bare(step) for step in record["plan"]["steps"]]}}
    if record["k"] == "result":
        return {**record, "result": {**record["result"], "step": _bare(record["result"]["step"])}}
    return record


def _bare(step: dict[str, Any]) -> dict[str, Any]:
    args = step["args"]
    content = {name: _masked(args[name]) for name in ("inputs", "arguments", "tool_arguments") if args.get(name)}
    return {**step, "args": {**args, **content}} if content else step


class RecordingWriter:
    """Appends records to a file, each handed to the operating system at once. Without a path it writes nowhere."""

    def __init__(self, path: Path | str | None) -> None:
        """Raise OSError when the file cannot be created."""
        self.path = Path(path) if path is not None else None
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._fd = -1 if self.path is None else os.open(self.path, flags, 0o600)
        self._content = False

    def write(self, record: dict[str, Any]) -> None:
        """Append one record, redacted."""
        if self._fd < 0:
            return
        if record["k"] == "header":
            self._content = bool(record["header"]["options"]["include_content"])
        elif not self._content:
            record = _without_content(record)
        rest = memoryview(to_line(redact_json(record)))
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def close(self) -> None:
        """Close the file; later records are dropped."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def read_recording(path: Path | str) -> Recording:
    """Read a recording, cut off or damaged as it may be. Raises RecordingError, OSError."""
    fold = _Fold()
    line = b""
    with Path(path).open("rb") as file:
        for line in file:
            fold.add(line)
    if fold.header is None:
        reason = "its first line was cut off or is no header" if line else "it is empty"
        raise RecordingError(f"{path}: not a recording of crewdoctor: {reason}")
    if fold.header.format != FORMAT:
        raise RecordingError(f"{path}: its format is {fold.header.format!r}, and this version reads {FORMAT!r}")
    return fold.recording()


@dataclass(slots=True)
class _Fold:
    """Lines to facts."""

    header: Header | None = None
    inventory: Inventory | None = None
    plans: list[Plan] = field(default_factory=list)
    results: list[StepResult] = field(default_factory=list)
    spans: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    stacks: list[Stack] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    simulated: list[str] = field(default_factory=list)
    begun: dict[str, float] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    last: str | None = None
    end: float = 0.0
    garbled: int = 0
    processes: Processes = field(default_factory=Processes)

    @property
    def of_program(self) -> bool:
        """Whether a program recorded itself."""
        return self.header is not None and self.header.options.scope == "run"

    def add(self, line: bytes) -> None:
        record = from_line(line) if line.endswith(b"\n") else None
        try:
            if record is None:
                self.garbled += line.endswith(b"\n")
                return
            self._take(record)
            self.processes.note(record)
            times = [record.get(name) for name in ("at", "start", "end")]
            self.end = max([self.end, *(float(at) for at in times if isinstance(at, (int, float)))])
        except (WireError, KeyError, TypeError, ValueError, AttributeError):
            self.garbled += 1

    def _take(self, record: dict[str, Any]) -> None:  # noqa: C901, PLR0912 - one branch per kind of record, each a line
        kind = record["k"]
        if kind == "header":
            self.header = decode(Header, record["header"])
        elif kind == "inventory":
            inventory = decode(Inventory, record["inventory"])
            self.inventory = merged(self.inventory if self.of_program else None, inventory)
        elif kind == "plan":
            self.plans.append(decode(Plan, record["plan"]))
        elif kind == "result":
            result = decode(StepResult, record["result"])
            self.results.append(result)
            self.end = max(self.end, result.end)
        elif kind == "open":
            decode(Span, {**record, "end": None})
            self.spans[record["id"]] = {**record, "end": None}
        elif kind == "close":
            held = self.spans[record["id"]]
            closed = {
                **held,
                "end": record["end"],
                "failure": record.get("failure"),
                "attrs": {**held.get("attrs", {}), **record.get("attrs", {})},
            }
            decode(Span, closed)
            self.spans[record["id"]] = closed
        elif kind == "event":
            self.events.append(decode(Event, record))
        elif kind == "stack":
            self.stacks.append(decode(Stack, record))
        elif kind == "fact":
            self.facts.setdefault(record["step"], {})[record["name"]] = record["value"]
        elif kind == "begin":
            self.begun[record["step"]] = float(record["at"])
        elif kind == "own":
            self.notes.append({name: held for name, held in record.items() if name != "k"})
        elif kind == "simulated":
            self.simulated += [str(subject) for subject in record["subjects"]]
        elif kind == "last":
            self.last = str(record.get("interrupted", ""))

    def recording(self) -> Recording:
        notes = self.notes
        if self.garbled:
            notes = [*notes, {"step": "", "at": self.end, "text": f"{self.garbled} unreadable lines were skipped"}]
        spans = sorted((decode(Span, held) for held in self.spans.values()), key=lambda each: each.start)
        results = [*self.results, *self._cut_off()]
        if self.of_program:
            results = results_of(self.processes, spans, self.events, self.facts)
            spans = given_up(spans, self.events, results)
            results += [inspected(self.inventory, results[0].start)] if self.inventory and results else []
            self.last = last_word(self.last, self.events, results)
        return Recording(
            header=self.header or Header(),
            inventory=self.inventory,
            plans=tuple(self.plans),
            results=tuple(results),
            spans=tuple(spans),
            events=tuple(sorted(self.events, key=lambda each: each.at)),
            stacks=tuple(sorted(self.stacks, key=lambda each: each.at)),
            notes=tuple(notes),
            simulated=tuple(dict.fromkeys(self.simulated)),
            interrupted="truncated" if self.last is None else self.last,
            end=self.end,
        )

    def _cut_off(self) -> list[StepResult]:
        """Return a result for each step that began and has none: crewdoctor itself was killed while it ran."""
        ended = {result.step.id for result in self.results}
        planned: dict[str, Step] = {step.id: step for plan in self.plans for step in plan.steps}
        reason = "crewdoctor itself ended while this step ran"
        return [
            StepResult(planned[name], Status.KILLED, at, self.end, reason, None, self.facts.get(name, {}))
            for name, at in self.begun.items()
            if name not in ended and name in planned
        ]


__all__ = ["RecordingError", "RecordingWriter", "header", "read_recording"]
