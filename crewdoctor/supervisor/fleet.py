"""The workers: started when a step needs one, replaced when they went, swept up in the end."""

from __future__ import annotations

import os
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, final

from crewdoctor.model.plan import Step
from crewdoctor.supervisor.schedule import LASTING
from crewdoctor.supervisor.watching import Watching
from crewdoctor.supervisor.worker import START_WITHIN, Worker, quieted, start
from crewdoctor.wire.channel import Channel, ChannelError
from crewdoctor.wire.descent import LINUX, MARK, adopt_orphans, end_tree, marked

_CLOSE_WITHIN = 1.5


@final
class Fleet:
    """Holds `own`, `crew`, and `loaded`: the zygote beneath the crew's that has loaded the target."""

    def __init__(
        self, watching: Watching, *, crew_python: str, root: str, environment: dict[str, str], hello: dict[str, Any]
    ) -> None:
        self.forks = LINUX and environment.get("CREWDOCTOR_START", os.environ.get("CREWDOCTOR_START")) != "spawn"
        self.heard: Callable[[Worker, dict[str, Any]], None]
        """Told each message of a worker."""
        self.ended: Callable[[Worker], None]
        """Told when a worker's channel ended."""
        self._watching = watching
        self._pythons = {"own": sys.executable, "crew": crew_python}
        self._root, self._hello = root, hello
        self._mark = uuid.uuid4().hex
        self._environment = {**quieted(environment), MARK: self._mark}
        self._workers: dict[str, Worker] = {}
        self._adopted = adopt_orphans()

    def __iter__(self) -> Iterator[Worker]:
        return iter(list(self._workers.values()))

    def starting(self, step: Step) -> Worker | None:
        """The worker this step waits for, where it is still getting ready."""
        worker = self._workers.get(self._place(step))
        return worker if worker is not None and not worker.ready else None

    def late(self) -> list[Worker]:
        """Workers that did not get ready in time."""
        now = time.monotonic()
        return [each for each in self if not each.ready and not each.gone and now - each.started > START_WITHIN]

    def worker_for(self, step: Step) -> Worker:
        """The worker that takes this step, started where there is none; one with a `failure` takes nothing."""
        loaded = self._workers.get("loaded")
        if step.worker == "loaded" and loaded is not None and not loaded.gone:
            return loaded
        place = self._place(step)
        held = self._workers.get(place)
        if held is None or (held.gone and not held.failure):
            if held is not None:
                self._clear_away(held)
            held = self._workers[place] = self._start(_kind(step))
        return held

    def _place(self, step: Step) -> str:
        """Whose worker takes it. What lasts until the end would keep a worker that does not fork from all else."""
        return step.id if step.probe == LASTING and not self.forks else _kind(step)

    def expect_loaded(self) -> socket.socket:
        """Make room for a loaded zygote; the end of its channel it is to be given."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.drop("loaded")
        self._workers["loaded"] = Worker("loaded", Channel(ours))
        self._listen(self._workers["loaded"])
        return theirs

    def drop(self, kind: str) -> None:
        """Hang up on a worker and forget it."""
        worker = self._workers.pop(kind, None)
        if worker is not None and not worker.gone:
            self.hang_up(worker)

    def hang_up(self, worker: Worker) -> None:
        """It takes no more orders; its steps end as they end."""
        self._watching.forget(worker.channel.fileno())
        worker.close()

    def lose(self, worker: Worker, how: str) -> str:
        """It is gone, or must be; how it went, in words."""
        self._watching.forget(worker.channel.fileno())
        if worker.process is not None and worker.process.poll() is None and how != "ended":
            end_tree(worker.process.pid)
        words = f"the {worker.kind} worker {how}{worker.ended()}"
        worker.close()
        if not worker.ready and worker.kind != "loaded":
            way_out = "; name the Python that runs the crew with --python" if worker.kind == "crew" else ""
            worker.failure = f"{words} while it started ({self._pythons[worker.kind]}){way_out}"
        return words

    def close(self) -> None:
        """End every worker; what they left behind too."""
        for worker in self:
            worker.close()
        until = time.monotonic() + _CLOSE_WITHIN
        for worker in self:
            worker.end(until - time.monotonic())

    def sweep(self) -> None:
        """Kill and reap what a worker that died on us left: it was reparented here, and carries our mark."""
        for _ in range(3):
            left = marked(self._mark)
            for pid in left:
                end_tree(pid)
            for pid in left:
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)
            if not left:
                break
        if not self._adopted:
            adopt_orphans(on=False)

    def _clear_away(self, worker: Worker) -> None:
        if worker.process is not None and worker.process.stderr is not None:
            self._watching.forget(worker.process.stderr.fileno())
        self.hang_up(worker)
        worker.end(0.5)

    def _start(self, kind: str) -> Worker:
        python = self._pythons[kind]
        hello = {**self._hello, "worker": kind, "fork": self.forks}
        try:
            worker = start(kind, python, environment=self._environment, folder=self._root, hello=hello)
        except OSError as error:
            ours, theirs = socket.socketpair()
            theirs.close()
            return Worker(kind, Channel(ours), gone=True, failure=f"{python} could not be started: {error.strerror}")
        self._listen(worker)
        stderr = worker.process.stderr if worker.process is not None else None
        if stderr is not None:
            self._watching.watch(stderr.fileno(), worker.read_stderr)
        return worker

    def _listen(self, worker: Worker) -> None:
        def heard() -> bool:
            try:
                received = worker.channel.receive()
            except (ChannelError, OSError):
                received = None
            if received is None:
                self.ended(worker)
                return False
            self.heard(worker, received[0])
            return True

        self._watching.watch(worker.channel.fileno(), heard)


def _kind(step: Step) -> str:
    return "own" if step.worker == "own" else "crew"
