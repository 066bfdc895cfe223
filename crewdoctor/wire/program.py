"""A program's own recording: its processes as steps, so that rules read it as they read a diagnosis. Pure.

Nothing of it was planned, and nobody but the program itself says how a process ended: steps and results are made of
what its frames say. A process with anything of a crew in it counts as the run of that crew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.span import Event, FailureKind, Span, Stack

CREW, OTHER, INSPECT = "crew.kickoff", "program.process", "inspect"
_OF_A_CREW = frozenset({"crew.kickoff", "task.execution", "agent.execution", "llm.call", "tool.call"})
_CRASHES = frozenset({"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGSYS"})
_ENDS = frozenset({"SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"})
_FOREVER = 1e9
_SLACK = 1.5
"""Seconds by which the clock of a dump may be off."""


@dataclass(slots=True)
class Processes:
    """What frames say of each process of a program, by step."""

    begun: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    """When each was last heard of."""

    def note(self, record: Mapping[str, Any]) -> None:
        """Take one frame that names its step."""
        step, at = record.get("step"), record.get("at", record.get("start"))
        if isinstance(step, str) and isinstance(at, (int, float)):
            self.seen[step] = max(self.seen.get(step, 0.0), float(at))
            if record.get("k") == "begin":
                self.begun.setdefault(step, float(at))
            elif record.get("k") == "end":
                self.ended[step] = float(at)


def results_of(
    processes: Processes, spans: Iterable[Span], events: Sequence[Event], facts: Mapping[str, dict[str, Any]]
) -> list[StepResult]:
    """One result per process, in order of start."""
    of_crews: dict[str, list[Span]] = {}
    for span in spans:
        if span.name in _OF_A_CREW:
            of_crews.setdefault(span.step, []).append(span)
    gone = next((event for event in events if event.name == "program.ended"), None)
    main = next(iter(processes.begun), "")
    outside = max((event.at for event in events if not event.step), default=0.0)
    found = []
    for name, at in processes.begun.items():
        held = facts.get(name, {})
        known = held.get("program") if isinstance(held.get("program"), dict) else {}
        shown = " ".join(str(each) for each in known.get("argv", ())[:4]) or name  # type: ignore[union-attr]
        step = Step(
            id=name.replace(CREW, OTHER),
            probe=OTHER,
            layer=Layer.ENVIRONMENT,
            subject=f"process:{known.get('pid', name)}",  # type: ignore[union-attr]
            worker="loaded",
            deadline=_FOREVER,
            announce=f"`{shown}` ran",
        )
        end = processes.ended.get(name, processes.seen.get(name, at))
        status, reason = Status.OK, ""
        if gone is not None and name == main:
            end = max(end, gone.at)
            status, reason = _how(gone, ended=name in processes.ended)
        elif name not in processes.ended and name == main:
            end = max(end, outside)
            status, reason = Status.KILLED, "the recording ends before this process did"
        process = StepResult(step, status, at, end, reason, None, dict(held))
        crew = list(_of_crew(process, name, of_crews.get(name, ())))
        if status is Status.CRASHED and any(each.status is Status.CRASHED for each in crew):
            process = replace(process, status=Status.KILLED)  # one crash, told where it happened
        found += [process, *crew]
    return found


def _of_crew(process: StepResult, name: str, spans: Sequence[Span]) -> Iterator[StepResult]:
    """The run of the crew within a process: as long as its kickoffs, to the end of the process where one is open."""
    if not spans:
        return
    named = next((span.subject for span in spans if span.name == "crew.kickoff"), "crew")
    step = replace(process.step, id=name, probe=CREW, layer=Layer.CREW, subject=named)
    ends = [span.end for span in spans]
    end = process.end if None in ends else max(each for each in ends if each is not None)
    finished = None not in ends
    status, reason = (Status.OK, "") if finished else (process.status, process.reason)
    yield replace(process, step=step, status=status, reason=reason, start=spans[0].start, end=end)


def _how(gone: Event, *, ended: bool) -> tuple[Status, str]:
    signal = str(gone.attrs.get("signal") or "")
    if signal in _CRASHES:
        return Status.CRASHED, f"killed by {signal}"
    if signal:
        return Status.KILLED, f"ended by {signal}"
    return Status.OK, "" if ended else "it ended without Python's own end (os._exit)"


def inspected(inventory: Inventory, at: float) -> StepResult:
    """The reading of the crew, as the inspection a diagnosis begins with."""
    step = Step(INSPECT, INSPECT, Layer.SETTINGS, "crew", "crew", _FOREVER, announce="read the crew that kicked off")
    return StepResult(step, Status.OK, at, at, "", None, {"inventory": inventory.crew})


def given_up(spans: list[Span], events: Iterable[Event], results: Iterable[StepResult]) -> list[Span]:
    """Spans with those that whoever ran the program cut off marked as such: a hang that was given up is a hang."""
    times = [event.at for event in events if event.name == "program.signal" and event.attrs.get("signal") in _ENDS]
    stopped = any(result.facts.get("result") == FailureKind.INTERRUPTED.value for result in results)
    if not times and stopped:
        cut = [span.end for span in spans if span.failure and span.failure.kind is FailureKind.INTERRUPTED and span.end]
        times = [min(cut) - 0.05] if cut else []
    if not times:
        return spans
    since = min(times) - 0.05
    return [_cut(span, since) for span in spans]


def placed(stacks: Sequence[Stack], spans: Sequence[Span]) -> list[Stack]:
    """The stacks; one that faulthandler wrote, which knows no spans, with the latest that was open in its process."""
    found = []
    for stack in stacks:
        if stack.span is None and stack.attrs.get("source") == "faulthandler":
            began = stack.at - stack.seconds
            going = [each for each in spans if each.step == stack.step and each.start <= began + _SLACK]
            going = [each for each in going if each.end is None or each.end >= stack.at]
            stack = replace(stack, span=max(going, key=lambda each: each.start).id if going else None)  # noqa: PLW2901
        found.append(stack)
    return found


def last_word(last: str | None, events: Sequence[Event], results: Sequence[StepResult]) -> str | None:
    """How a program was ended: by a signal, empty where by itself (a server that was told to stop, too), or unknown."""
    gone = next((event for event in events if event.name == "program.ended"), None)
    outcome = results[0].facts.get("result") if results else None
    if gone is not None and gone.attrs.get("code") == 0 and outcome == "completed":
        return ""
    if last is not None:
        return last
    sent = [str(event.attrs.get("signal")) for event in events if event.name == "program.signal"]
    sent = [each for each in sent if each in _ENDS]
    if sent:
        return sent[-1]
    if outcome == FailureKind.INTERRUPTED.value:
        return "SIGINT"
    return "" if not results or results[0].status is Status.OK else None


def _cut(span: Span, since: float) -> Span:
    failure = span.failure
    if failure is None or span.end is None or span.end < since:
        return span
    own = failure.exception.rpartition(".")[2] in {"KeyboardInterrupt", "SystemExit", "CancelledError"}
    if failure.kind is FailureKind.CANCELLED or own:
        return replace(span, failure=replace(failure, kind=FailureKind.INTERRUPTED))
    return span


def merged(first: Inventory | None, second: Inventory) -> Inventory:
    """What several crews of one program consist of together; of two parts with one name the first."""
    if first is None:
        return second

    def both(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
        known = {_key(each) for each in one}
        return (*one, *(each for each in other if _key(each) not in known))

    names = ("agents", "tasks", "tools", "llms", "endpoints", "settings", "scan")
    parts: dict[str, Any] = {name: both(getattr(first, name), getattr(second, name)) for name in names}
    given = tuple(dict.fromkeys((*first.inputs_given, *second.inputs_given)))
    unexamined = tuple(dict.fromkeys((*first.unexamined, *second.unexamined)))
    return replace(first, **parts, unexamined=unexamined, inputs_given=given, inputs_required=())


def _key(part: Any) -> Any:
    for name in ("id", "subject"):
        if getattr(part, name, None):
            return getattr(part, name)
    return (str(part.location), getattr(part, "call", ""))
