"""Calling one tool of the user's, some number of times at once. No probe: what the tool probes share."""

from __future__ import annotations

import contextvars
import copy
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crewdoctor.model.inventory import ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.model.probe import Bench, CannotProbe, LoadedCrew
from crewdoctor.model.span import Failure

NO_TERMINAL = "no terminal"


def foreign(tool: ToolEntry) -> str:
    """Why a tool is not called alone: it is not the user's own; empty where it is."""
    kind = tool.kind.lower()
    if "mcp" in kind:
        return "tools of an MCP server are not called alone in this version"
    return "crewai's own tool for delegating work" if kind.startswith("crewai.tools.agent_tools") else ""


def arguments_for(step: Step, bench: Bench, crew: LoadedCrew, tool: Any) -> tuple[dict[str, Any], str]:
    """Arguments a tool accepts, and their source. `step.args`: `arguments recorded places`. Raises CannotProbe."""
    schema = getattr(tool, "args_schema", None)
    arguments, source = bench.arguments(
        {} if schema is None else schema.model_json_schema(),
        given=step.args["arguments"],
        recorded={name: crew.inputs[name] for name in step.args["recorded"] if name in crew.inputs},
        places=step.args["places"],
    )
    if schema is not None:
        try:
            schema.model_validate(arguments)
        except Exception as error:
            line = " ".join(str(error).split())[:200]
            raise CannotProbe(
                f"no arguments that its schema accepts were found; give them in the configuration ({line})"
            ) from None
    return arguments, source


@dataclass(slots=True)
class Call:
    """How one call went."""

    seconds: float = 0.0
    failure: Failure | None = None
    error: str = ""
    """Told in words by the tool, which raised nothing."""
    computed: float = 0.0
    """Seconds its own thread ran, or queued for a CPU of a busy machine."""

    @property
    def answered(self) -> bool:
        """Whether it came back with an answer."""
        return self.failure is None and not self.error


class Caller:
    """Calls one tool with one set of arguments, each call in a thread of its own as crewai's executor does."""

    def __init__(self, bench: Bench, subject: str, tool: Any, arguments: dict[str, Any], attrs: dict[str, Any]) -> None:
        self._bench, self._subject, self._tool, self._arguments, self._attrs = bench, subject, tool, arguments, attrs

    def round(self, n: int) -> list[Call]:
        """`n` calls that start together; returns when all have ended."""
        calls = [Call() for _ in range(n)]
        barrier = threading.Barrier(n)
        threads = []
        for call in calls:
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(self._call, call, n, barrier), daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
        return calls

    def _call(self, call: Call, n: int, barrier: threading.Barrier) -> None:
        arguments, stopped = copy.deepcopy(self._arguments), len(self._bench.blocked())
        barrier.wait()
        began, worked = time.monotonic(), _thread_wanted_cpu()
        name = self._subject.partition(":")[2]
        try:
            with self._bench.span(
                "tool.call", subject=self._subject, layer=Layer.TOOL, tool=name, n=n, **self._attrs
            ) as span:
                output = self._tool.run(**arguments)
                call.seconds = time.monotonic() - began
                call.error = self._bench.error_in(output)
                if len(self._bench.blocked()) > stopped:
                    span.note(blocked=True)
                if call.error:
                    span.note(error_kind=self._bench.classify(RuntimeError(call.error)).kind.value)
                span.note(
                    output_chars=len(output) if isinstance(output, str) else len(str(output)), error_text=call.error
                )
        except BaseException as error:
            call.seconds = time.monotonic() - began
            call.failure = self._bench.classify(error)
            if isinstance(error, EOFError):
                call.error = NO_TERMINAL
        finally:
            call.computed = _thread_wanted_cpu() - worked

    def blocked(self) -> bool:
        """Whether the guard stopped anything: the question then stays unanswered, never fine."""
        stopped = self._bench.blocked()
        if stopped:
            self._bench.fact("blocked", True)
            self._bench.fact("blocked_what", sorted(set(stopped)))
        return bool(stopped)

    def note_failures(self, calls: Sequence[Call], prefix: str = "") -> None:
        """Facts of the first failure and the first error told in words, and how many of the calls they were."""
        failed = [call for call in calls if call.failure is not None]
        told = [call for call in calls if call.error]
        if failed and failed[0].failure is not None:
            self._bench.fact(f"{prefix}failed", failed[0].failure.kind.value)
            self._bench.fact(f"{prefix}failure_text", failed[0].failure.text)
        if told:
            self._bench.fact(f"{prefix}output_error", told[0].error)
        if failed or told:
            self._bench.fact(f"{prefix}failures", len([call for call in calls if not call.answered]))


def _thread_wanted_cpu() -> float:
    """Seconds this thread ran or waited to run (Linux `schedstat`); 0 where the kernel does not say."""
    try:
        running, queued, *_ = Path("/proc/thread-self/schedstat").read_text("ascii").split()
    except (OSError, ValueError):
        return 0.0
    return (int(running) + int(queued)) / 1e9


@contextmanager
def uncounted(tool: Any) -> Iterator[None]:
    """The crew's own calls are limited; ours must neither meet that limit nor use it up."""
    held = {name: getattr(tool, name) for name in ("max_usage_count", "current_usage_count") if hasattr(tool, name)}
    try:
        if "max_usage_count" in held:
            tool.max_usage_count = None
        yield
    finally:
        for name, value in held.items():
            setattr(tool, name, value)
