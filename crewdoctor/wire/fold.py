"""Lines of a recording to facts. Whatever a line holds, it is taken or counted: what came before it is never lost.

A recording may hold more spans than anybody can look at: of those on the wire that ended soon and well some are left
out here too, evenly, and their number is told (`wire/thinning.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Plan, Step
from crewdoctor.model.recording import Experiments, Header, Recording
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.span import Event, Failure, Span, Stack
from crewdoctor.wire.children import adopted
from crewdoctor.wire.codec import WireError, decode
from crewdoctor.wire.frames import from_line
from crewdoctor.wire.hosts_seen import with_hosts_seen
from crewdoctor.wire.parts_seen import with_parts_seen
from crewdoctor.wire.program import Processes, given_up, inspected, last_word, merged, placed, results_of
from crewdoctor.wire.rooted import rooted
from crewdoctor.wire.thinning import WIRE, Thinning

MOST_SPANS = 100_000
"""Kept whatever they are; beyond it only the number of what opens is."""
MOST_WIRE = 5_000
"""Of one name on the wire kept one and all; of later ones that ended soon and well fewer and fewer."""
MOST_OTHERS = 50_000
"""Events, stacks, notes: kept of each."""
SOON = 0.05
_COSTS = ("seconds", "bytes", "spans")
_LONGEST = 1e10
"""Seconds: a time beyond three centuries is none."""
_BAD = (WireError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, MemoryError)


@dataclass(slots=True)
class Fold:
    """What the lines so far have told."""

    header: Header | None = None
    inventory: Inventory | None = None
    plans: list[Plan] = field(default_factory=list)
    results: list[StepResult] = field(default_factory=list)
    spans: dict[str, Span] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    stacks: list[Stack] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    simulated: list[str] = field(default_factory=list)
    begun: dict[str, float] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    last: str | None = None
    end: float = 0.0
    garbled: int = 0
    dropped: dict[str, dict[str, int]] = field(default_factory=dict)
    """Step → name → spans its recorder has left out."""
    left_out: Counter[str] = field(default_factory=Counter)
    """The same of what was left out here."""
    recorder: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_COSTS, 0.0))
    thinning: Thinning = field(default_factory=lambda: Thinning(MOST_WIRE))
    processes: Processes = field(default_factory=Processes)

    @property
    def of_program(self) -> bool:
        """Whether a program recorded itself."""
        return self.header is not None and self.header.options.scope == "run"

    def add(self, line: bytes) -> None:
        """Take one line; without a newline at its end it was cut off."""
        try:
            record = from_line(line) if line.endswith(b"\n") else None
            if record is None:
                self.garbled += line.endswith(b"\n")
                return
            times = [seconds(record[name]) for name in ("at", "start", "end") if record.get(name) is not None]
            self._take(record)
            self.processes.note(record)
            self.end = max([self.end, *times])
        except _BAD:
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
            began, ended = seconds(result.start), seconds(result.end)
            self.results.append(replace(result, start=began, end=ended))
            self.end = max(self.end, ended)
        elif kind == "open":
            self._open(span_of(record))
        elif kind == "close":
            self._close(record)
        elif kind == "event":
            self._keep(self.events, decode(Event, record))
        elif kind == "stack":
            self._keep(self.stacks, decode(Stack, record))
        elif kind == "fact":
            self.facts.setdefault(_text(record["step"]), {})[_text(record["name"])] = record["value"]
        elif kind == "begin":
            self.begun[_text(record["step"])] = seconds(record["at"])
        elif kind == "own":
            self._keep(self.notes, {name: held for name, held in record.items() if name != "k"})
        elif kind == "dropped":
            counts = {_text(name): int(number) for name, number in record["spans"].items()}
            self.dropped[_text(record["step"])] = counts
        elif kind == "end":
            self._cost(record.get("recorder"))
        elif kind == "simulated":
            self.simulated += [str(subject) for subject in record["subjects"]]
        elif kind == "last":
            self.last = str(record.get("interrupted", ""))

    # --- spans ---------------------------------------------------------------------------------------------------

    def _open(self, span: Span) -> None:
        if span.id in self.spans:
            return  # the writer was interrupted and began anew
        if len(self.spans) >= MOST_SPANS and (span.name in WIRE or len(self.spans) >= 2 * MOST_SPANS):
            self.left_out[span.name] += 1
            return
        self.spans[span.id] = span

    def _close(self, record: dict[str, Any]) -> None:
        held = self.spans.get(record["id"])
        if held is None:
            if not self.left_out:
                raise KeyError(record["id"])
            return
        failure = record.get("failure")
        failed = decode(Failure, failure) if failure is not None else None
        added = record.get("attrs", {})
        if not isinstance(added, dict):
            raise WireError("Span.attrs: expected an object")
        closed = Span(
            held.id,
            held.step,
            held.name,
            held.start,
            seconds(record["end"]),
            held.layer,
            held.subject,
            held.parent,
            failed,
            {**held.attrs, **added},
        )
        if self._may_go(closed) and not self._keeps(closed):
            del self.spans[closed.id]
            self.left_out[closed.name] += 1
        else:
            self.spans[closed.id] = closed

    @staticmethod
    def _may_go(span: Span) -> bool:
        return span.name in WIRE and span.failure is None and span.seconds() < SOON

    def _keeps(self, span: Span) -> bool:
        beneath = self.left_out and span.parent is not None and span.parent not in self.spans
        return not beneath and self.thinning.keeps(span.name)

    def _cost(self, told: Any) -> None:
        if isinstance(told, dict):
            for name in _COSTS:
                self.recorder[name] += seconds(told[name])

    def _keep(self, held: list[Any], each: Any) -> None:
        if len(held) < MOST_OTHERS:
            seconds(each["at"] if isinstance(each, dict) else each.at)
            held.append(each)
        else:
            self.left_out[type(each).__name__.lower() if not isinstance(each, dict) else "note"] += 1

    # --- the whole -----------------------------------------------------------------------------------------------

    def recording(self) -> Recording:
        """What was read, in order of time; cut off where it was."""
        notes = [*self.notes, *({"step": "", "at": self.end, "text": text} for text in self._missing())]
        spans = sorted(rooted(self.spans), key=lambda each: each.start)
        results = [*self.results, *self._cut_off()]
        if self.of_program:
            held = {span.id: span for span in adopted(spans, self.events, self.facts, self.processes.begun)}
            spans = sorted(rooted(held), key=lambda each: each.start)  # processes may claim each other
            target = self.header.options.target if self.header else ""
            self.inventory = with_parts_seen(self.inventory, spans, target)
            self.inventory = with_hosts_seen(self.inventory, spans) if self.inventory else None
            results = results_of(self.processes, spans, self.events, self.facts)
            spans = given_up(spans, self.events, results)
            results += [inspected(self.inventory, results[0].start)] if self.inventory and results else []
            self.last = last_word(self.last, self.events, results)
        tried = {
            each.id for each in (*self._planned(), *(each.step for each in results)) if each.args.get("redirected")
        }
        events, stacks = sorted(self.events, key=_at), sorted(placed(self.stacks, spans), key=_at)
        return Recording(
            header=self.header or Header(),
            inventory=self.inventory,
            plans=tuple(self.plans),
            results=tuple(results),
            spans=tuple(each for each in spans if each.step not in tried),
            events=tuple(each for each in events if each.step not in tried),
            stacks=tuple(each for each in stacks if each.step not in tried),
            experiments=Experiments(
                tuple(each for each in spans if each.step in tried),
                tuple(each for each in events if each.step in tried),
                tuple(each for each in stacks if each.step in tried),
            ),
            notes=tuple(notes),
            simulated=tuple(dict.fromkeys(self.simulated)),
            interrupted="truncated" if self.last is None else self.last,
            end=self.end,
            recorder=self.recorder if any(self.recorder.values()) else {},
        )

    def _planned(self) -> list[Step]:
        return [step for plan in self.plans for step in plan.steps]

    def _missing(self) -> Iterable[str]:
        if self.garbled:
            yield f"{self.garbled} unreadable lines were skipped"
        unrecorded: Counter[str] = Counter()
        for counts in self.dropped.values():
            unrecorded.update(counts)
        for name, number in sorted(unrecorded.items()):
            yield f"{number} spans of {name} were not recorded: too many of them"
        for name, number in sorted(self.left_out.items()):
            yield f"{number} spans of {name} were left out when the recording was read: too many of them"

    def _cut_off(self) -> list[StepResult]:
        """Return a result for each step that began and has none: crewdoctor itself was killed while it ran."""
        ended = {result.step.id for result in self.results}
        planned = {step.id: step for step in self._planned()}
        reason = "crewdoctor itself ended while this step ran"
        return [
            StepResult(planned[name], Status.KILLED, at, self.end, reason, None, self.facts.get(name, {}))
            for name, at in self.begun.items()
            if name not in ended and name in planned
        ]


def _at(each: Event | Stack) -> float:
    return each.at


def seconds(value: Any) -> float:
    """A time of a recording. Raises WireError for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_LONGEST < value < _LONGEST:
        raise WireError(f"not a time: {value!r:.40}")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise WireError(f"not a text: {value!r:.40}")
    return value


def span_of(record: dict[str, Any]) -> Span:
    """A span that has begun. What `decode` does, a dozen times faster. Raises WireError, KeyError, ValueError."""
    parent, attrs = record.get("parent"), record.get("attrs", {})
    if not isinstance(attrs, dict):
        raise WireError("Span.attrs: expected an object")
    return Span(
        _text(record["id"]),
        _text(record["step"]),
        _text(record["name"]),
        seconds(record["start"]),
        None,
        Layer(record["layer"]),
        _text(record.get("subject", "")),
        None if parent is None else _text(parent),
        None,
        attrs,
    )


__all__ = ["Fold", "seconds", "span_of"]
