"""One step, from its order to its last frame, in the process it was given."""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from crewdoctor.model.plan import Step
from crewdoctor.model.probe import CannotProbe, LoadedCrew
from crewdoctor.model.span import Failure
from crewdoctor.wire.codec import decode, encode
from crewdoctor.worker import namespace, points
from crewdoctor.worker.inflight import settle_idle
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.watchdog import Watchdog

INSPECT = "inspect"
ENDPOINT = "endpoint"


@dataclass(slots=True)
class Order:
    """A step and the descriptors it came with."""

    step: Step
    number: int
    inspect: dict[str, Any]
    """Arguments of the inspection, for a step that must load the crew again."""
    frames: int
    control: int
    """Readable when the supervisor wants to know, now, what is blocked."""
    dump: int
    """File for faulthandler."""
    stderr: int
    zygote: int = -1
    """A channel of its own for an inspection that may stay as the loaded zygote."""

    @classmethod
    def read(cls, message: dict[str, Any], fds: list[int]) -> Order:
        """Read the supervisor's message. Raises WireError, KeyError."""
        return cls(decode(Step, message["step"]), int(message["number"]), message["inspect"], *fds)


class CrewHolder:
    """The recorder of this process and, once somebody asked, the user's crew."""

    def __init__(self, recorder: Recorder, project_root: str, probes: str = "") -> None:
        self.recorder, self.project_root, self.probes = recorder, project_root, probes
        self._args: dict[str, Any] | None = None
        self._crew: LoadedCrew | None = None

    @property
    def loaded(self) -> bool:
        """Whether the crew is in this process."""
        return self._crew is not None

    def load(self, args: dict[str, Any]) -> tuple[Any, LoadedCrew]:
        """Inspect the target afresh and keep its crew. Raises CannotProbe."""
        if args.get("kind", "crew") == "crew":
            from crewdoctor.worker.inspector import inspect
        else:
            from crewdoctor.worker.without_crew import inspect  # type: ignore[assignment]

        inventory, crew = inspect(args, self.recorder)
        self._args, self._crew = args, crew
        return inventory, crew

    def crew(self, args: dict[str, Any]) -> LoadedCrew:
        """Return the crew, loaded here or before the fork. Raises CannotProbe."""
        if self._crew is None or self._args != args:
            return self.load(args)[1]
        return self._crew

    def runner(self, step: Step) -> Callable[[Step, Recorder], None]:
        """What runs this step. Raises ImportError for a probe that does not exist."""
        if step.probe == INSPECT:
            return self._inspect
        if step.probe == ENDPOINT:
            return _serve_endpoint
        name = step.probe.replace(".", "_")
        module = importlib.import_module(f"{self.probes or 'crewdoctor.probes'}.{name}")
        return module.run  # type: ignore[no-any-return]

    def _inspect(self, step: Step, recorder: Recorder) -> None:
        inventory, _ = self.load(step.args)
        recorder.fact("inventory", encode(inventory))


def _serve_endpoint(step: Step, recorder: Recorder) -> None:
    from crewdoctor.endpoint.server import run

    run(step.args, lambda port: recorder.event("endpoint.ready", port=port))


def perform(order: Order, holder: CrewHolder) -> None:
    """Run the step, write its frames, the last one included. Raises nothing the step raised."""
    recorder, step, me = holder.recorder, order.step, os.getpid()
    if step.args.get("redirected"):
        namespace.enter()  # before any thread of ours; where it is refused, the redirect does with less
    os.dup2(order.stderr, 2)
    os.close(order.stderr)
    with suppress(AttributeError, OSError, ValueError):  # no SIGUSR2, or user code replaced it: one fallback less
        faulthandler.register(signal.SIGUSR2, file=order.dump, all_threads=True, chain=False)
    recorder.load = (lambda: holder.crew(order.inspect)) if step.worker == "loaded" else None
    recorder.arm(
        order.frames,
        step=step.id,
        number=order.number,
        zero=recorder.zero,
        seconds=step.deadline,
        layer=step.layer,
        subject=step.subject,
    )
    watchdog = Watchdog(recorder, order.control, holder.project_root)
    watchdog.start()
    status, reason, failure = _run(holder, step)
    if os.getpid() != me:
        os._exit(0)  # a child the step forked came back up our stack
    watchdog.stop()
    settle_idle()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    recorder.end(status, reason, failure)
    recorder.disarm()
    if points.switch.lead is not None:
        points.switch.lead.end()  # not before: what still waits there would be seen to fail
    with suppress(AttributeError, OSError, ValueError):
        faulthandler.unregister(signal.SIGUSR2)
    for fd in (order.control, order.dump):
        with suppress(OSError):
            os.close(fd)


def _run(holder: CrewHolder, step: Step) -> tuple[str, str, Failure | None]:
    try:
        holder.runner(step)(step, holder.recorder)
    except CannotProbe as reason:
        return "failed", str(reason), None
    except BaseException as error:
        text = " ".join(str(error).split())
        return "failed", f"{type(error).__name__}: {text}", holder.recorder.classify(error)
    return "ok", "", None
