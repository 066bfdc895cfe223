"""Facts as a rule sees them. Every touch is counted, so that declared needs can be compared with real ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.recording import Recording
from crewdoctor.model.result import StepResult
from crewdoctor.model.setting import Setting
from crewdoctor.model.span import Event, Span, Stack

RAMP = "scale."
"""Steps in which the crew runs many times at once."""


@dataclass(slots=True)
class Evidence:
    """A recording with its ledger, readable only by named keys."""

    recording: Recording
    ledger_value: Any = None
    """The timeout ledger (`budget.Ledger`), computed before the rules run."""
    touched: set[str] = field(default_factory=set)
    _by_parent: dict[str, list[Span]] = field(default_factory=dict)
    """Span id → the spans directly beneath it; filled when first asked for."""

    def spans(self, name: str, *, subject: str | None = None, probe: str | None = None) -> tuple[Span, ...]:
        """Spans called `name`, in order of start; of one subject, of one probe's steps.

        Those of the ramp only where they are asked for: what holds under load is no measure of the crew by itself.
        """
        self.touched.add(f"span:{name}")
        return tuple(
            span
            for span in self.recording.spans
            if span.name == name
            and (subject is None or span.subject == subject)
            and (span.step.split("@", 1)[0] == probe if probe is not None else not span.step.startswith(RAMP))
        )

    def settings(self, scope: str, name: str, *, subject: str | None = None) -> tuple[Setting, ...]:
        """Settings called `name` on subjects of kind `scope`."""
        self.touched.add(f"setting:{scope}.{name}")
        return tuple(
            setting
            for setting in (self.recording.inventory.settings if self.recording.inventory else ())
            if setting.scope == scope and setting.name == name and (subject is None or setting.subject == subject)
        )

    def setting(self, scope: str, name: str, subject: str) -> Setting | None:
        """Return the one setting, or None when the inventory does not hold it."""
        found = self.settings(scope, name, subject=subject)
        return found[0] if found else None

    def results(self, probe: str, *, subject: str | None = None) -> tuple[StepResult, ...]:
        """Results of one probe's steps."""
        self.touched.add(f"result:{probe}")
        return tuple(
            result
            for result in self.recording.results
            if result.step.probe == probe and (subject is None or result.step.subject == subject)
        )

    def all_results(self) -> tuple[StepResult, ...]:
        """Results of every step, for rules about crewdoctor itself."""
        self.touched.add("results")
        return self.recording.results

    def events(self, name: str) -> tuple[Event, ...]:
        """Events called `name`."""
        self.touched.add(f"events:{name}")
        return tuple(event for event in self.recording.events if event.name == name and not event.step.startswith(RAMP))

    def stacks(self, *, step: str | None = None, span: str | None = None) -> tuple[Stack, ...]:
        """What was seen blocked, in order."""
        self.touched.add("stacks")
        return tuple(
            stack
            for stack in self.recording.stacks
            if (stack.step == step if step is not None else not stack.step.startswith(RAMP))
            and (span is None or stack.span == span)
        )

    def experiments(self, name: str, *, subject: str | None = None) -> tuple[Span, ...]:
        """Spans of experiments called `name`, in order of start; of one subject."""
        self.touched.add("experiments")
        held = self.recording.experiments.spans
        return tuple(span for span in held if span.name == name and (subject is None or span.subject == subject))

    def children(self, span: Span, name: str | None = None) -> tuple[Span, ...]:
        """Spans beneath `span` by parent links, any depth; of one name. Counts as touching that name."""
        if name is not None:
            self.touched.add(f"span:{name}")
        if not self._by_parent:
            for other in self.recording.spans:
                if other.parent is not None:
                    self._by_parent.setdefault(other.parent, []).append(other)
        beneath: list[Span] = []
        known, waiting = {span.id}, [span.id]
        while waiting:
            for other in self._by_parent.get(waiting.pop(), ()):
                if other.id not in known:
                    known.add(other.id)
                    waiting.append(other.id)
                    beneath.append(other)
        beneath.sort(key=lambda each: each.start)
        return tuple(each for each in beneath if name is None or each.name == name)

    @property
    def inventory(self) -> Inventory:
        """The inventory; an empty one where the target did not load."""
        self.touched.add("inventory")
        return self.recording.inventory or Inventory(target="", crew="", project_root="", shape="")

    @property
    def ledger(self) -> Any:
        """The timeout ledger."""
        self.touched.add("ledger")
        return self.ledger_value

    @property
    def simulated(self) -> frozenset[str]:
        """Subjects whose model was the embedded endpoint: their latency is ours, not the provider's."""
        return frozenset(self.recording.simulated)

    def end_of(self, span: Span) -> float:
        """When an open span was last known to be going: the end of its step, else of the recording."""
        if span.end is not None:
            return span.end
        for result in self.recording.results:
            if result.step.id == span.step:
                return result.end
        return self.recording.end

    def missing(self, needs: Iterable[str]) -> str:
        """Return the first key of `needs` this recording has nothing for, or an empty string."""
        return next((key for key in needs if not self._has(key)), "")

    @property
    def program(self) -> bool:
        """Whether a program recorded itself: nothing was probed, and what there is it did of its own."""
        return self.recording.header.options.scope == "run"

    def _has(self, key: str) -> bool:
        if "|" in key:
            return any(self._has(each) for each in key.split("|"))
        kind, _, name = key.partition(":")
        recording = self.recording
        inventory = recording.inventory
        if kind == "span":
            return any(span.name == name for span in recording.spans)
        if kind == "result":
            return any(result.step.probe == name for result in recording.results)
        if kind == "setting":
            return inventory is not None and any(f"{each.scope}.{each.name}" == name for each in inventory.settings)
        if kind == "events":
            return any(event.name == name for event in recording.events)
        present = {
            "inventory": inventory is not None,
            "ledger": self.ledger_value is not None,
            "stacks": bool(recording.stacks),
            "results": bool(recording.results),
            "experiments": bool(recording.experiments.spans),
            "program": self.program,
        }
        return present.get(kind, False)
