"""The five stages in order: discover, plan, probe, analyse, render. Start reading here.

Discover and probe happen in workers; plan and analyse are pure; rendering is the caller's (`report/<format>.py`).
Whatever happens in between, the report is made from the recording on disk: `analyse` gives the same bytes later.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from crewdoctor import budget, causality, patience, planner, played, rulebook, scope
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.inventory import Inventory
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Plan, Step
from crewdoctor.model.recording import Recording
from crewdoctor.model.refusal import NOT_DIAGNOSED, USAGE, Refusal
from crewdoctor.model.report import Report
from crewdoctor.model.result import StepResult
from crewdoctor.report.assemble import assemble
from crewdoctor.settled import settled
from crewdoctor.supervisor import LiveStep, Progress, Supervisor
from crewdoctor.target import MINIMAL_SHOWN, Project, find_project, workplace
from crewdoctor.wire.codec import WireError, decode, encode
from crewdoctor.wire.recording import RecordingWriter, header, read_recording
from crewdoctor.wire.redact import learn_file

PLANNED_SHARE = 0.75
"""Of the deadline; the rest is for killing and reporting (product.md, Manners)."""

KEPT = 4.0
"""Seconds of the deadline the ramp leaves for killing and reporting."""
SHORT = 50.0
"""Seconds of deadline below which a quarter of what is planned is less than the 10 s a hang is told by."""


class Terminated(BaseException):
    """SIGTERM arrived; the partial report is still made."""


@dataclass(slots=True)
class _Session:
    """What the stages share while a diagnosis runs."""

    options: Options
    project: Project
    writer: RecordingWriter
    supervisor: Supervisor
    results: list[StepResult]
    zero: float

    def left(self) -> float:
        return max(0.0, self.zero + self.options.deadline * PLANNED_SHARE - time.monotonic())

    def calls_left(self) -> int:
        return self.options.max_llm_calls - sum(each.llm_calls for each in self.results)


def diagnose(
    options: Options,
    *,
    recording_path: Path,
    progress: Callable[[Progress], None] | None = None,
    announce: Callable[[Inventory, Plan, Options], None] | None = None,
) -> Report:
    """Diagnose the target. `announce` is told each plan before it starts.

    Raises Refusal for input that names no diagnosable target at all (missing file, unknown format).
    """
    project = project_of(options)
    options = options if options.target or not scope.scope_of(options).crew else replace(options, target=project.shown)
    learn_file(project.root / ".env")
    zero = time.monotonic()
    writer = RecordingWriter(recording_path)
    writer.write(header(options))
    interrupted = ""
    try:
        with (
            _sigterm_raises(),
            Supervisor(
                recording=writer,
                zero=zero,
                crew_python=project.python,
                project_root=str(project.root),
                environment=dict(project.environment),
                progress=progress,
                crewai=scope.scope_of(options).crew,
            ) as supervisor,
        ):
            session = _Session(options, project, writer, supervisor, [], zero)
            inventory = _discover(session)
            if inventory is not None:
                _probe(session, inventory, announce)
    except KeyboardInterrupt:
        interrupted = "SIGINT"
    except Terminated:
        interrupted = "SIGTERM"
    finally:
        writer.write({"k": "last", "at": time.monotonic() - zero, "interrupted": interrupted})
        writer.close()
    return analyse(read_recording(recording_path))


def project_of(options: Options) -> Project:
    """Return where the target lies, or where a command without one works. Raises Refusal."""
    return find_project(options) if scope.scope_of(options).crew else workplace(options)


def dry_run(options: Options, *, recording_path: Path) -> tuple[Inventory | None, tuple[Plan, ...], Report]:
    """Discover and plan every stage; nothing of the crew runs. The report says what kept the target from loading."""
    plans: list[Plan] = []
    seen: list[Inventory] = []

    def remember(inventory: Inventory, plan: Plan, _: Options) -> None:
        seen[:] = [inventory]
        plans.append(plan)

    report = diagnose(replace(options, dry_run=True), recording_path=recording_path, announce=remember)
    return (seen[0] if seen else None), tuple(plans), report


def analyse(recording: Recording, *, select: tuple[str, ...] = (), ignore: tuple[str, ...] = ()) -> Report:
    """Facts to findings. Pure: the same recording gives the same report."""
    options = recording.header.options
    recording = settled(recording)
    evidence = Evidence(recording, budget.ledger_of(recording))
    findings, outcomes = rulebook.run(evidence, select=select or options.select, ignore=ignore or options.ignore)
    return assemble(recording, causality.order(findings, recording), outcomes, evidence.ledger_value)


def _discover(session: _Session) -> Inventory | None:
    """Load the target in the crew worker; None when it does not load (the recording says why)."""
    result = session.supervisor.inspect(session.project.inspect_arguments(session.options))
    session.results.append(result)
    held = result.facts.get("inventory")
    if held is None:
        told = result.facts.get("load_failure")
        if told and not scope.scope_of(session.options).crew:  # there is nothing to report on
            raise Refusal(f"{told['sentence']}; {told['way_out']}", USAGE if told["usage"] else NOT_DIAGNOSED)
        return None
    try:
        inventory = decode(Inventory, held)
    except WireError as error:
        session.writer.write(
            {"k": "own", "step": result.step.id, "at": result.end, "text": f"inventory unread: {error}"}
        )
        return None
    if session.options.target == MINIMAL_SHOWN:
        inventory = replace(inventory, target=MINIMAL_SHOWN)
    session.writer.write({"k": "inventory", "inventory": encode(inventory)})
    if reason := scope.nothing_to_do(inventory, session.options):
        raise Refusal(reason, USAGE)
    missing = [
        name for name in inventory.inputs_required if name not in {*inventory.inputs_given, *session.options.inputs}
    ]
    return None if missing else inventory


def _probe(
    session: _Session, inventory: Inventory, announce: Callable[[Inventory, Plan, Options], None] | None
) -> None:
    asked, extra = session.options, dict[str, Any]()
    if asked.scope == "diagnose" and asked.deadline < SHORT:
        told = f"a deadline of {asked.deadline:g} s leaves a tool too little time for its silence to be called a hang"
        session.writer.write({"k": "own", "step": "", "at": time.monotonic() - session.zero, "text": told})
    for stage in planner.stages(asked):
        options = replace(asked, llm=choose_llm(asked, inventory, stage))
        if stage == planner.CONFIRM and not asked.dry_run:
            options = replace(options, change=_change(session))
        session.options = options
        known = [] if options.dry_run else session.results
        if options.llm == "embedded" and inventory.llms and (not extra or stage == planner.RAMP):
            if not extra and (subjects := _simulated(inventory, options, own=played.called(known))):
                session.writer.write({"k": "simulated", "subjects": subjects})
            extra["embedded_base_url"] = "" if options.dry_run else _endpoint(session, inventory, stage)
        limits = planner.Budget(_seconds(session, stage), session.calls_left())
        plan = planner.plan(inventory, options, known, stage=stage, budget=limits)
        plan = replace(plan, steps=tuple(_equipped(step, extra) for step in plan.steps))
        session.writer.write({"k": "plan", "stage": stage, "plan": encode(plan)})
        if announce is not None:
            announce(inventory, plan, options)
        if not options.dry_run and plan.steps:
            session.supervisor.stalled = _patience(session)
            session.results += session.supervisor.run(plan.steps)


def _endpoint(session: _Session, inventory: Inventory, stage: int) -> str:
    """Start the embedded model; for the ramp one of its own, as slow as the crew's."""
    given = played.options(inventory, session.options)
    if stage == planner.RAMP:
        given["first_token"] = played.latency(session.options, session.results)
    return session.supervisor.start_endpoint(given, "ramp" if stage == planner.RAMP else "embedded")


def _simulated(inventory: Inventory, options: Options, own: list[str]) -> list[str]:
    """Whose model the embedded endpoint plays: only the full crew's where its own models (`own`) were called before.

    Of a diagnosis on its own models only the ramp is played, and each of its spans says so.
    """
    if own and options.scope == "diagnose":
        return []
    if options.scope == "preflight" or own:
        return [f"crew:{inventory.crew}"]
    return [llm.subject for llm in inventory.llms]


def _change(session: _Session) -> str:
    """What the rules would change to take the first cause away, given what is recorded so far; empty for nothing."""
    assert session.writer.path is not None
    findings = analyse(read_recording(session.writer.path)).findings
    return next((each.attrs["change"] for each in findings if "change" in each.attrs), "")


def choose_llm(options: Options, inventory: Inventory, stage: int = 1) -> str:
    """`own` where every model has a key that can be used (or needs none we know of), else `embedded`.

    A preflight asks the own models, and runs the full crew on the embedded one; so does a ramp, unless its models are
    on this machine: they are loaded only where somebody says so.
    """
    if options.scope == "preflight":
        return "embedded" if options.with_crew and stage != planner.STAGES[0] else "own"
    if options.llm != "auto":
        return options.llm
    if any(llm.usable_key is False for llm in inventory.llms):
        return "embedded"
    ramps = stage in {planner.RAMP, planner.CONFIRM}
    return "embedded" if ramps and not played.all_local(inventory) else "own"


def _seconds(session: _Session, stage: int) -> float:
    """The full crew runs to the deadline, longer only while somebody watches it move; the ramp to shortly before it."""
    to_deadline = max(0.0, session.left() + session.options.deadline * (1.0 - PLANNED_SHARE))
    if stage in {planner.RAMP, planner.CONFIRM}:
        return max(0.0, to_deadline - KEPT)
    watched = session.options.deadline * 9.0 if session.options.interactive else 0.0
    return to_deadline + watched if stage == planner.STAGES[1] else session.left()


def _equipped(step: Step, extra: dict[str, Any]) -> Step:
    return replace(step, args={**step.args, **extra}) if any(extra.values()) and step.worker != "own" else step


def _patience(session: _Session) -> Callable[[str, LiveStep], str]:
    def verdict(_: str, live: LiveStep) -> str:
        known = [*session.results, *session.supervisor.ended_steps]
        return patience.verdict(live, known, time.monotonic() - session.zero)

    return verdict


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    def terminate(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


__all__ = ["Terminated", "analyse", "choose_llm", "diagnose", "dry_run", "project_of"]
