"""The loop: workers, orders, deadlines, the recording. One thread, one selector, no asyncio."""

from __future__ import annotations

import os
import selectors
import socket
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, final

from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.model.result import Status, StepResult
from crewdoctor.supervisor.interrupt import Interrupts
from crewdoctor.supervisor.live import LiveStep
from crewdoctor.supervisor.progress import Progress
from crewdoctor.supervisor.running import Phase, Running
from crewdoctor.supervisor.schedule import Schedule
from crewdoctor.supervisor.worker import START_WITHIN, Worker, quieted, start
from crewdoctor.wire.channel import Channel, ChannelError
from crewdoctor.wire.codec import encode
from crewdoctor.wire.descent import LINUX, MARK, adopt_orphans, end_tree, marked
from crewdoctor.wire.recording import RecordingWriter

INSPECT_WITHIN = 60.0
_TURN = 0.1
_ENDPOINT_WITHIN = 20.0
_CLOSE_WITHIN = 1.5
_FOREVER = 1e9
_STARTING = {"own": "its worker starts", "crew": "the crew's Python starts and imports crewai"}


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
        self._recording, self._zero, self._progress = recording, zero, progress
        self._pythons = {"own": sys.executable, "crew": crew_python}
        self._root, self._probes, self._crewai = project_root, probes, crewai
        self._mark = uuid.uuid4().hex
        self._environment = {**quieted(environment), MARK: self._mark}
        self._forks = LINUX and environment.get("CREWDOCTOR_START", os.environ.get("CREWDOCTOR_START")) != "spawn"
        self._selector = selectors.DefaultSelector()
        self._workers: dict[str, Worker] = {}
        self._inspected: dict[str, Any] = {}
        self._spawned_for: dict[str, str] = {}
        """Why workers of a kind cannot fork: told once, not with each that replaces another."""
        self._running: dict[int, Running] = {}
        self._pending: dict[str, Step] = {}
        self._results: dict[str, StepResult] = {}
        self._count = 0
        self._looked = 0.0
        self._closed = False
        self._adopted = adopt_orphans()

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what the pipeline calls ---------------------------------------------------------------------------------

    def inspect(self, args: dict[str, Any]) -> StepResult:
        """Load the target in the crew worker. `facts["inventory"]` holds the encoded Inventory where it loaded."""
        self._inspected = args
        deadline = float(args.get("deadline", INSPECT_WITHIN))
        name = f"inspect@{args.get('target', '')}"
        step = Step(
            name,
            "inspect",
            Layer.SETTINGS,
            "crew",
            "crew",
            deadline,
            args,
            announce=str(args.get("announce") or "load the crew"),
        )
        return self.run([step])[0]

    def run(self, steps: Sequence[Step]) -> list[StepResult]:
        """Run steps side by side where `after`, `lane` and the workers allow; one result each, in the given order.

        A SIGINT or SIGTERM ends what runs, records every result, and then does what it would have done.
        """
        schedule = Schedule(steps)
        for step in steps:
            self._results.pop(step.id, None)
        with Interrupts() as interrupts:
            while not schedule.over:
                for step in schedule.startable():
                    schedule.started(step)
                    unanswered = self._unanswered(step)
                    if unanswered:
                        self._skip(step, unanswered)
                    else:
                        self._pending[step.id] = step
                for step in schedule.stuck():
                    self._skip(step, "the steps it waits for wait for it")
                if interrupts.arrived is not None:
                    self._interrupt(schedule)
                self._dispatch()
                self._turn(_TURN)
                for step_id in schedule.going & self._results.keys():
                    schedule.ended(step_id)
        return [self._results[step.id] for step in steps]

    @property
    def ended_steps(self) -> tuple[StepResult, ...]:
        """Results of the steps that have ended, those of the current run included."""
        return tuple(self._results.values())

    def start_endpoint(self, args: dict[str, Any]) -> str:
        """Start the embedded endpoint in the own worker; it lasts until `close`. Raises CannotStart."""
        step = Step("endpoint@embedded", "endpoint", Layer.LLM, "host:embedded", "own", _FOREVER, args)
        self._pending[step.id] = step
        until = time.monotonic() + _ENDPOINT_WITHIN
        while time.monotonic() < until and step.id not in self._results:
            self._dispatch()
            self._turn(_TURN)
            for running in self._running.values():
                if running.live.step.id == step.id and "endpoint.ready" in running.live.events:
                    return f"http://127.0.0.1:{running.live.events['endpoint.ready']['port']}/v1"
        self._pending.pop(step.id, None)
        ended = self._results.pop(step.id, None)
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
        for worker in self._workers.values():
            worker.close()
        until = time.monotonic() + _CLOSE_WITHIN
        for worker in self._workers.values():
            worker.end(until - time.monotonic())
        self._selector.close()
        self._sweep()
        if not self._adopted:
            adopt_orphans(on=False)

    def _sweep(self) -> None:
        """Kill and reap what a worker that died on us left: it was reparented here, and carries our mark."""
        for _ in range(3):
            left = marked(self._mark)
            for pid in left:
                end_tree(pid)
            for pid in left:
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)
            if not left:
                return

    # --- the loop ------------------------------------------------------------------------------------------------

    def _turn(self, seconds: float) -> None:
        """Wait for something to happen, for at most `seconds`; then tend every step."""
        if self._selector.get_map():
            for key, _ in self._selector.select(seconds):
                if key.fd in self._selector.get_map():
                    key.data()
        else:
            time.sleep(min(seconds, 0.01))
        for running in list(self._running.values()):
            self._record(running.tend())
            if running.phase is Phase.OVER:
                self._finish(running)
        for worker in list(self._workers.values()):
            if not worker.ready and not worker.gone and time.monotonic() - worker.started > START_WITHIN:
                self._lose(worker, f"did not get ready within {START_WITHIN:g} s")
        if time.monotonic() - self._looked >= 1.0:
            self._looked = time.monotonic()
            self._look()

    def _look(self) -> None:
        """Once a second: is a step stalled; what is each waiting for."""
        for step in self._pending.values():
            worker = self._workers.get("own" if step.worker == "own" else "crew")
            if worker is not None and not worker.ready:
                self._tell(step, "starting", _STARTING[worker.kind], step.deadline)
        for running in list(self._running.values()):
            live = running.live
            if running.phase is not Phase.RUNNING or not live.begun or live.step.probe == "endpoint":
                continue
            verdict = self.stalled(live.step.id, live) if self.stalled is not None else ""
            if verdict:
                running.end(verdict, ask=True)
            self._tell(live.step, "running", live.waiting, live.deadline - (time.monotonic() - self._zero))

    def _tell(self, step: Step, state: str, waiting: str, remaining: float) -> None:
        if self._progress is not None and step.probe != "endpoint":
            left = max(0.0, remaining)
            self._progress(Progress(step.id, state, step.announce or step.id, waiting, left, step.layer))

    def _unanswered(self, step: Step) -> str:
        """A hang is paid once: why a step that needs the answer of another would only wait again."""
        needed = self._results.get(str(step.args.get("needs_answer_of", "")))
        if needed is not None and needed.facts.get("cut_off"):
            return f"{needed.step.id} was cut off by the user's own timeout; the same wait is not paid twice"
        if needed is not None and {"limited", "rationed"} & set(needed.facts):
            return f"{needed.step.id} met the provider's rate limit; what it still allows is kept for the crew"
        if needed is None or needed.facts.get("answered") is True:
            return ""
        return f"{needed.step.id} got no answer; the same wait is not paid twice"

    def _interrupt(self, schedule: Schedule) -> None:
        for step in [*self._pending.values(), *schedule.waiting]:
            self._skip(step, "crewdoctor was interrupted before it began")
        self._pending.clear()
        for running in self._running.values():
            if running.live.step.probe != "endpoint":
                running.end("crewdoctor was interrupted", at_once=True)

    # --- orders --------------------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        for step in list(self._pending.values()):
            worker = self._worker_for(step)
            if worker.failure:
                del self._pending[step.id]
                self._fail(step, worker.failure)
            elif worker.free:
                del self._pending[step.id]
                self._order(step, worker)

    def _worker_for(self, step: Step) -> Worker:
        loaded = self._workers.get("loaded")
        if step.worker == "loaded" and loaded is not None and not loaded.gone:
            return loaded
        kind = "own" if step.worker == "own" else "crew"
        held = self._workers.get(kind)
        if held is None or (held.gone and not held.failure):
            if held is not None:
                if held.process is not None and held.process.stderr is not None:
                    self._forget(held.process.stderr.fileno())
                self._forget(held.channel.fileno())
                held.close()
                held.end(0.5)
            held = self._workers[kind] = self._start(kind)
        return held

    def _start(self, kind: str) -> Worker:
        hello = {
            "worker": kind,
            "fork": self._forks,
            "zero": self._zero,
            "project_root": self._root,
            "probes": self._probes,
            "crewai": self._crewai,
        }
        python = self._pythons[kind]
        try:
            worker = start(kind, python, environment=self._environment, folder=self._root, hello=hello)
        except OSError as error:
            ours, theirs = socket.socketpair()
            theirs.close()
            return Worker(kind, Channel(ours), gone=True, failure=f"{python} could not be started: {error.strerror}")
        self._listen(worker)
        stderr = worker.process.stderr if worker.process is not None else None
        if stderr is not None:
            self._watch(stderr.fileno(), worker.read_stderr)
        return worker

    def _order(self, step: Step, worker: Worker) -> None:
        self._count += 1
        running = Running(step, self._count, worker, self._zero)
        self._running[self._count] = running
        self._watch(running.frames, lambda: self._hear(running))
        self._watch(running.stderr, running.read_stderr)
        with suppress(OSError):  # gone in the meantime: the end of its channel is read next, and the step with it
            if step.probe == "inspect" and worker.forks:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
                self._drop("loaded")
                self._workers["loaded"] = Worker("loaded", Channel(ours))
                self._listen(self._workers["loaded"])
                with theirs:
                    running.order(self._inspected, theirs.fileno())
            else:
                running.order(self._inspected)

    def _drop(self, kind: str) -> None:
        worker = self._workers.pop(kind, None)
        if worker is not None and not worker.gone:
            self._forget(worker.channel.fileno())
            worker.close()

    # --- what workers say ----------------------------------------------------------------------------------------

    def _watch(self, fd: int, read: Callable[[], bool]) -> None:
        """Call `read` whenever `fd` has something, until it says that it was the end."""

        def ready() -> None:
            if not read():
                self._forget(fd)

        self._selector.register(fd, selectors.EVENT_READ, ready)

    def _forget(self, fd: int) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(fd)

    def _hear(self, running: Running) -> bool:
        frames, going = running.read_frames()
        self._record(frames)
        return going

    def _listen(self, worker: Worker) -> None:
        def heard() -> bool:
            try:
                received = worker.channel.receive()
            except (ChannelError, OSError):
                received = None
            if received is None:
                self._lose(worker, "ended")
                return False
            self._take(worker, received[0])
            return True

        self._watch(worker.channel.fileno(), heard)

    def _take(self, worker: Worker, message: dict[str, Any]) -> None:
        kind, running = message.get("r"), self._running.get(message.get("number", 0))
        if kind == "ready":
            worker.ready, worker.forks, worker.pid = True, bool(message["fork"]), int(message["pid"])
            worker.failure = str(message["failure"])
            for text in message["own"]:
                self._own(text)
            if worker.kind == "loaded":
                self._loaded(worker, str(message["why"]))
            elif self._forks and message["why"] not in ("", self._spawned_for.get(worker.kind)):
                self._spawned_for[worker.kind] = str(message["why"])
                self._own(f"the {worker.kind} worker runs one step at a time: {message['why']}")
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
            self._own(f"{message['strays']} processes it left behind were killed", running.live.step.id)
        if not message["again"]:
            worker.gone = True

    def _refused(self, worker: Worker, running: Running, why: str) -> None:
        """It must not fork any more: the step goes to a worker that can take it."""
        self._own(f"the {worker.kind} worker runs one step at a time: {why}")
        self._put_away(running)
        self._pending[running.live.step.id] = running.live.step
        if worker.kind == "loaded":
            self._drop("loaded")
        else:
            self._forks = False
            self._forget(worker.channel.fileno())
            worker.close()

    def _loaded(self, worker: Worker, why: str) -> None:
        if why:
            self._own(f"the crew is loaded anew in each step: {why} after loading it")
            self._drop("loaded")
            return
        for running in self._running.values():
            if running.live.step.probe == "inspect":
                running.status = 0
        worker.failure = ""

    def _lose(self, worker: Worker, how: str) -> None:
        """It is gone, or must be: its steps with it."""
        if worker.gone and not worker.held:
            return
        self._forget(worker.channel.fileno())
        if worker.process is not None and worker.process.poll() is None and how != "ended":
            end_tree(worker.process.pid)
        words = f"the {worker.kind} worker {how}{worker.ended()}"
        worker.close()
        if not worker.ready and worker.kind != "loaded":
            way_out = "; name the Python that runs the crew with --python" if worker.kind == "crew" else ""
            worker.failure = f"{words} while it started ({self._pythons[worker.kind]}){way_out}"
        for running in self._running.values():
            if running.worker is worker:
                running.lost = words

    # --- results -------------------------------------------------------------------------------------------------

    def _record(self, frames: list[dict[str, Any]]) -> None:
        for frame in frames:
            if frame["k"] == "begin":
                running = next((each for each in self._running.values() if each.live.step.id == frame["step"]), None)
                if running is not None:
                    self._tell(running.live.step, "running", "", running.live.step.deadline)
            if frame["k"] != "move" and not (frame["k"] == "fact" and frame["name"] == "inventory"):
                self._recording.write(frame)

    def _own(self, text: str, step: str = "") -> None:
        self._recording.write({"k": "own", "step": step, "at": time.monotonic() - self._zero, "text": text})

    def _finish(self, running: Running) -> None:
        self._record(running.drain())
        result = running.result()
        if running.live.garbled:
            self._own(f"{running.live.garbled} garbled lines on its pipe were dropped", running.live.step.id)
        self._put_away(running)
        self._settle(result)

    def _put_away(self, running: Running) -> None:
        self._running.pop(running.live.number, None)
        running.worker.held.discard(running.live.number)
        self._forget(running.frames)
        self._forget(running.stderr)
        running.close()

    def _fail(self, step: Step, reason: str) -> None:
        now = time.monotonic() - self._zero
        self._settle(StepResult(step, Status.FAILED, now, now, reason))

    def _skip(self, step: Step, reason: str) -> None:
        now = time.monotonic() - self._zero
        self._settle(StepResult(step, Status.SKIPPED, now, now, reason))

    def _settle(self, result: StepResult) -> None:
        self._results[result.step.id] = result
        facts = {name: value for name, value in result.facts.items() if name != "inventory"}
        self._recording.write({"k": "result", "result": {**encode(result), "facts": facts}})
        self._tell(result.step, result.status.value, result.reason, 0.0)
