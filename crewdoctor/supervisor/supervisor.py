"""The loop: orders, deadlines, results. One thread, one selector, no asyncio."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, final

from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.model.result import Status, StepResult
from crewdoctor.supervisor.fleet import Fleet
from crewdoctor.supervisor.interrupt import Interrupts
from crewdoctor.supervisor.live import LiveStep
from crewdoctor.supervisor.progress import Progress
from crewdoctor.supervisor.register import Register
from crewdoctor.supervisor.running import Phase, Running
from crewdoctor.supervisor.schedule import LASTING, Schedule
from crewdoctor.supervisor.watching import Watching
from crewdoctor.supervisor.worker import START_WITHIN, Worker
from crewdoctor.wire.recording import RecordingWriter

INSPECT_WITHIN = 60.0
_TURN = 0.1
_ENDPOINT_WITHIN = 20.0
_FOREVER = 1e9


class CannotStart(Exception):  # noqa: N818 - a verdict, one sentence
    """The embedded endpoint did not come up; the message says why."""


@final
class Supervisor:
    """Runs steps in workers. A context manager; everything of ours is gone when it is left."""

    def __init__(
        self,
        *,
        recording: RecordingWriter,
        zero: float,
        crew_python: str,
        project_root: str,
        environment: dict[str, str],
        progress: Callable[[Progress], None] | None = None,
        crewai: bool = True,
        probes: str = "",
    ) -> None:
        """`crewai`: whether the crew worker imports it; `probes`: a folder of probe modules that tests lend."""
        self.stalled: Callable[[str, LiveStep], str] | None = None
        self._register = Register(recording, zero, progress)
        self._watching = Watching()
        hello = {"zero": zero, "project_root": project_root, "probes": probes, "crewai": crewai}
        self._fleet = Fleet(
            self._watching, crew_python=crew_python, root=project_root, environment=environment, hello=hello
        )
        self._fleet.heard, self._fleet.ended = self._take, lambda worker: self._lose(worker, "ended")
        self._starting = {
            "own": "its worker starts",
            "crew": f"the crew's Python starts{' and imports crewai' if crewai else ''}",
        }
        self._inspected: dict[str, Any] = {}
        self._spawned_for: dict[str, str] = {}
        """Why workers of a kind cannot fork: told once, not with each that replaces another."""
        self._running: dict[int, Running] = {}
        self._pending: dict[str, Step] = {}
        self._count = 0
        self._looked = 0.0
        self._closed = False

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what the pipeline calls ---------------------------------------------------------------------------------

    def inspect(self, args: dict[str, Any]) -> StepResult:
        """Load the target in the crew worker. `facts["inventory"]` holds the encoded Inventory where it loaded."""
        self._inspected = args
        deadline = float(args.get("deadline", INSPECT_WITHIN))
        name, told = f"inspect@{args.get('target', '')}", str(args.get("announce") or "load the crew")
        step = Step(name, "inspect", Layer.SETTINGS, "crew", "crew", deadline, args, announce=told)
        return self.run([step])[0]

    def run(self, steps: Sequence[Step]) -> list[StepResult]:
        """Run steps side by side where `after`, `lane` and the workers allow; one result each, in the given order.

        A SIGINT or SIGTERM ends what runs, records every result, and then does what it would have done.
        """
        schedule = Schedule(steps)
        for step in steps:
            self._register.results.pop(step.id, None)
        with Interrupts() as interrupts:
            while not schedule.over:
                for step in schedule.startable():
                    schedule.started(step)
                    unanswered = self._register.unanswered(step)
                    if unanswered:
                        self._register.end(step, Status.SKIPPED, unanswered)
                    else:
                        self._pending[step.id] = step
                for step in schedule.stuck():
                    self._register.end(step, Status.SKIPPED, "the steps it waits for wait for it")
                if interrupts.arrived is not None:
                    self._interrupt(schedule)
                self._dispatch()
                self._turn(_TURN)
                for step_id in schedule.going & self._register.results.keys():
                    schedule.ended(step_id)
        return [self._register.results[step.id] for step in steps]

    @property
    def ended_steps(self) -> tuple[StepResult, ...]:
        """Results of the steps that have ended, those of the current run included."""
        return tuple(self._register.results.values())

    def start_endpoint(self, args: dict[str, Any], name: str = "embedded") -> str:
        """Start an embedded endpoint in the own worker; it lasts until `close`. Raises CannotStart."""
        step = Step(f"endpoint@{name}", LASTING, Layer.LLM, "host:embedded", "own", _FOREVER, args)
        self._pending[step.id] = step
        until = time.monotonic() + _ENDPOINT_WITHIN
        while time.monotonic() < until and step.id not in self._register.results:
            self._dispatch()
            self._turn(_TURN)
            for running in self._running.values():
                if running.live.step.id == step.id and "endpoint.ready" in running.live.events:
                    return f"http://127.0.0.1:{running.live.events['endpoint.ready']['port']}/v1"
        self._pending.pop(step.id, None)
        ended = self._register.results.pop(step.id, None)
        raise CannotStart(f"the embedded endpoint did not start: {ended.reason if ended else 'no answer in time'}")

    def close(self) -> None:
        """End every step and worker, descendants included."""
        if self._closed:
            return
        self._closed = True
        for running in self._running.values():
            running.end("crewdoctor has finished", at_once=True)
            running.close()
        self._running.clear()
        self._fleet.close()
        self._watching.close()
        self._fleet.sweep()

    # --- the loop ------------------------------------------------------------------------------------------------

    def _turn(self, seconds: float) -> None:
        """Wait for something to happen, for at most `seconds`; then tend every step."""
        self._watching.wait(seconds)
        for running in list(self._running.values()):
            self._record(running.tend())
            if running.phase is Phase.OVER:
                self._finish(running)
        for worker in self._fleet.late():
            self._lose(worker, f"did not get ready within {START_WITHIN:g} s")
        if time.monotonic() - self._looked >= 1.0:
            self._looked = time.monotonic()
            self._look()

    def _look(self) -> None:
        """Once a second: is a step stalled; what is each waiting for."""
        for step in self._pending.values():
            worker = self._fleet.starting(step)
            if worker is not None:
                self._register.tell(step, "starting", self._starting[worker.kind], step.deadline)
        for running in list(self._running.values()):
            live = running.live
            if running.phase is not Phase.RUNNING or not live.begun or live.step.probe == LASTING:
                continue
            verdict = self.stalled(live.step.id, live) if self.stalled is not None else ""
            if verdict:
                running.end(verdict, ask=True)
            self._register.tell(live.step, "running", live.waiting, live.deadline - self._register.now)

    def _interrupt(self, schedule: Schedule) -> None:
        for step in [*self._pending.values(), *schedule.waiting]:
            self._register.end(step, Status.SKIPPED, "crewdoctor was interrupted before it began")
        self._pending.clear()
        for running in self._running.values():
            if running.live.step.probe != LASTING:
                running.end("crewdoctor was interrupted", at_once=True)

    # --- orders --------------------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        for step in list(self._pending.values()):
            worker = self._fleet.worker_for(step)
            if worker.failure:
                del self._pending[step.id]
                self._register.end(step, Status.FAILED, worker.failure)
            elif worker.free:
                del self._pending[step.id]
                self._order(step, worker)

    def _order(self, step: Step, worker: Worker) -> None:
        self._count += 1
        running = Running(step, self._count, worker, self._register.zero)
        self._running[self._count] = running
        self._watching.watch(running.frames, lambda: self._hear(running))
        self._watching.watch(running.stderr, running.read_stderr)
        with suppress(OSError):  # gone in the meantime: the end of its channel is read next, and the step with it
            if step.probe == "inspect" and worker.forks:
                with self._fleet.expect_loaded() as theirs:
                    running.order(self._inspected, theirs.fileno())
            else:
                running.order(self._inspected)

    # --- what workers say ----------------------------------------------------------------------------------------

    def _hear(self, running: Running) -> bool:
        frames, going = running.read_frames()
        self._record(frames)
        return going

    def _take(self, worker: Worker, message: dict[str, Any]) -> None:
        kind, running = message.get("r"), self._running.get(message.get("number", 0))
        if kind == "ready":
            worker.ready, worker.forks, worker.pid = True, bool(message["fork"]), int(message["pid"])
            worker.failure = str(message["failure"])
            for text in message["own"]:
                self._register.own(text)
            if worker.kind == "loaded":
                self._loaded(worker, str(message["why"]))
            elif self._fleet.forks and message["why"] not in ("", self._spawned_for.get(worker.kind)):
                self._spawned_for[worker.kind] = str(message["why"])
                self._register.own(f"the {worker.kind} worker runs one step at a time: {message['why']}")
        elif running is None:
            return
        elif kind == "forked":
            running.pid = int(message["pid"])
        elif kind == "exited":
            self._exited(worker, running, message)
        elif kind == "refused":
            self._refused(worker, running, str(message["why"]))

    def _exited(self, worker: Worker, running: Running, message: dict[str, Any]) -> None:
        running.status = int(message["status"])
        if message["strays"] and running.phase is Phase.RUNNING:
            self._register.own(f"{message['strays']} processes it left behind were killed", running.live.step.id)
        if not message["again"]:
            worker.gone = True

    def _refused(self, worker: Worker, running: Running, why: str) -> None:
        """It must not fork any more: the step goes to a worker that can take it."""
        self._register.own(f"the {worker.kind} worker runs one step at a time: {why}")
        self._put_away(running)
        self._pending[running.live.step.id] = running.live.step
        if worker.kind == "loaded":
            self._fleet.drop("loaded")
        else:
            self._fleet.forks = False
            self._fleet.hang_up(worker)

    def _loaded(self, worker: Worker, why: str) -> None:
        if why:
            self._register.own(f"the crew is loaded anew in each step: {why} after loading it")
            self._fleet.drop("loaded")
            return
        for running in self._running.values():
            if running.live.step.probe == "inspect":
                running.status = 0
        worker.failure = ""

    def _lose(self, worker: Worker, how: str) -> None:
        """It is gone, or must be: its steps with it."""
        if worker.gone and not worker.held:
            return
        words = self._fleet.lose(worker, how)
        for running in self._running.values():
            if running.worker is worker:
                running.lost = words

    # --- results -------------------------------------------------------------------------------------------------

    def _record(self, frames: list[dict[str, Any]]) -> None:
        for frame in frames:
            if frame["k"] == "begin":
                running = next((each for each in self._running.values() if each.live.step.id == frame["step"]), None)
                if running is not None:
                    self._register.tell(running.live.step, "running", "", running.live.step.deadline)
            self._register.write(frame)

    def _finish(self, running: Running) -> None:
        self._record(running.drain())
        result = running.result()
        if running.live.garbled:
            self._register.own(f"{running.live.garbled} garbled lines on its pipe were dropped", result.step.id)
        self._put_away(running)
        self._register.settle(result)

    def _put_away(self, running: Running) -> None:
        self._running.pop(running.live.number, None)
        running.worker.held.discard(running.live.number)
        self._watching.forget(running.frames)
        self._watching.forget(running.stderr)
        running.close()
