"""crewai's event bus: `crew.kickoff`, `task.execution`, `agent.execution`, `tool.call`, `llm.call`.

Spans are opened and closed around `emit`, in the emitting thread and context, never in a handler (handlers run later,
in pool threads, on copied contexts). The current span moves with them, so whatever the tool or the model's client then
does on the wire lies beneath it; crewai copies contexts into its own threads. An ending event closes the nearest span
of its kind above it: crewai's own pairing is wrong after failures, `call_id` is safe.

Prompts, arguments and answers are measured in characters, never kept. crewai up to 1.11 and before has no `aemit` or
other fields: what an event does not carry is left out.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from crewdoctor.model.layer import Layer
from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.worker.classify import classify, classify_text
from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps import crew_attributes as attributes
from crewdoctor.worker.taps.subjects import Subjects
from crewdoctor.worker.taps.tap import Tap, name_here, span_here

_KINDS = {
    "crew_kickoff": ("crew.kickoff", Layer.CREW),
    "task": ("task.execution", Layer.CREW),
    "agent_execution": ("agent.execution", Layer.AGENT),
    "lite_agent_execution": ("agent.execution", Layer.AGENT),
    "tool_usage": ("tool.call", Layer.TOOL),
    "llm_call": ("llm.call", Layer.LLM),
}
_ENDS = ("completed", "finished", "failed", "error")
_CHUNKS = frozenset({"llm_stream_chunk", "llm_thinking_chunk"})
_MOST_TEXT = 300


@dataclass(slots=True)
class _Scope:
    """A span of ours that an event opened."""

    name: str
    above: str | None
    call_id: str
    started: float
    first: float | None = None
    last: float = 0.0
    gap: float = 0.0
    adopted: bool = False
    """A probe had opened the span already: it closes it, too."""


class _Event:
    """Watches one `emit`: the current span changes once the handlers have been handed their copy of the context."""

    __slots__ = ("_current", "_span")

    def __init__(self, current: Any, span: str | None) -> None:
        self._current, self._span = current, span

    def done(self, _result: Any) -> None:
        self._current.set(self._span)

    failed = done


class CrewEvents:
    """The open scopes of this process."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.subjects = Subjects(recorder)
        self.scopes: dict[str, _Scope] = {}
        self.executions: Counter[tuple[str | None, str]] = Counter()
        """Task's span and agent → how often it was run for it."""

    def emitted(self, _bus: Any, source: Any = None, event: Any = None) -> _Event | None:
        """An event is about to be emitted."""
        kind = getattr(event, "type", "")
        if kind in _CHUNKS:
            self._chunk(event)
            return None
        family, _, moment = str(kind).rpartition("_")
        if family not in _KINDS:
            return None
        if moment == "started":
            return self._open(family, source, event)
        return self._close(family, moment, event) if moment in _ENDS else None

    def _open(self, family: str, source: Any, event: Any) -> _Event | None:
        recorder = self.recorder
        name, layer = _KINDS[family]
        above = span_here(recorder)
        scope = _Scope(name, above, str(getattr(event, "call_id", "") or ""), recorder.now())
        if above and above not in self.scopes and name_here(recorder) == name:
            scope.adopted = True
            self.scopes[above] = scope
            return None
        subject, attrs = attributes.at_start(self.subjects, family, source, event)
        if name == "agent.execution":
            # crewai runs an agent again when a run of it has failed, or its guardrail was not content.
            self.executions[above, subject] += 1
            attrs["execution"] = self.executions[above, subject]
        span = recorder.open(name, subject=subject, layer=layer, **attrs)
        if not span:
            return None
        self.scopes[span] = scope
        return _Event(recorder.current, span)

    def _close(self, family: str, moment: str, event: Any) -> _Event | None:
        span = self._ended(_KINDS[family][0], event)
        if span is None:
            return None
        here = span_here(self.recorder)
        while here and here != span and here in self.scopes:
            # Within this very context nothing can still go on beneath what has ended.
            here = self._end(here, None, {})
        failure = _failure(event) if moment in {"failed", "error"} else None
        above = self._end(span, failure, attributes.at_end(family, event))
        return _Event(self.recorder.current, above)

    def _ended(self, name: str, event: Any) -> str | None:
        call_id = str(getattr(event, "call_id", "") or "")
        span: str | None = span_here(self.recorder)
        while span and span in self.scopes:
            scope = self.scopes[span]
            if scope.name == name and (not call_id or scope.call_id == call_id):
                return span
            if scope.adopted:
                break  # it stands in its own place: nothing of ours is around it
            span = scope.above
        if not call_id:
            return None
        found = (each for each, scope in list(self.scopes.items()) if scope.call_id == call_id)
        return next(found, None)

    def _end(self, span: str, failure: Failure | None, attrs: dict[str, Any]) -> str | None:
        """Close one scope and return the span around it; an adopted one stays open, and stays around."""
        scope = self.scopes.pop(span)
        known = self.recorder._spans.get(span)
        made = known.requests if known is not None else 0
        if scope.adopted:
            return span
        if scope.name == "llm.call":
            attrs = {**attrs, "attempts": made, "first_token": scope.first, "gaps_max": round(scope.gap, 6) or None}
        self.recorder.close(
            span, failure=failure, **{name: value for name, value in attrs.items() if value is not None}
        )
        return scope.above

    def _chunk(self, event: Any) -> None:
        """A streamed piece arrived: the first one, and the longest silence, are what is kept of it."""
        span = self._ended("llm.call", event)
        if span is None:
            return
        scope, now = self.scopes[span], self.recorder.now()
        if scope.first is None:
            scope.first = round(now - scope.started, 6)
        else:
            scope.gap = max(scope.gap, now - scope.last)
        scope.last = now
        self.recorder.move()


def install(recorder: Recorder) -> None:
    """Stand around the bus's `emit` and `aemit`, now or when crewai is imported."""
    tap = Tap("crew_events", recorder)
    events = CrewEvents(recorder)

    def bus(module: ModuleType) -> None:
        tap.around(module.CrewAIEventsBus, "emit", events.emitted)
        tap.around_coroutine(module.CrewAIEventsBus, "aemit", events.emitted)

    when_imported("crewai.events.event_bus", tap.safely(bus))
    when_imported("crewai.utilities.events.crewai_event_bus", tap.safely(bus))


def _failure(event: Any) -> Failure:
    """Return the failure behind an event: the exception it is emitted for where there is one, else its words."""
    error = getattr(event, "error", None)
    if isinstance(error, BaseException):
        return classify(error)
    handled = sys.exc_info()[1]
    if handled is not None:
        return classify(handled)
    text = " ".join(str(error or "").split())[:_MOST_TEXT]
    return Failure(classify_text(text) or FailureKind.EXCEPTION, text)
