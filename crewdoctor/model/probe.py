"""The protocol between a probe and the worker that runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from crewdoctor.model.layer import Layer
from crewdoctor.model.phase import Phase
from crewdoctor.model.span import Failure


class CannotProbe(Exception):  # noqa: N818 - a verdict about the attempt, not an error
    """This could not be attempted; the message is the reason, one sentence. The only thing a probe raises (law 1)."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a probe file declares as `PROBE`, beside `plan(inventory, options, results)` and `run(step, bench)`.

    `plan` is pure and runs in the parent: it yields Steps and Skips. It is called once per stage with the results
    so far; in a dry run with none (then it yields what it might do, with `condition`).
    """

    id: str
    layer: Layer
    question: str
    """A positive sentence for the report: `the model starts to answer in time`."""
    stage: int = 1
    """1 ground (network, llm, tools: side by side), 2 crew, 3 agent (only where it adds knowledge)."""
    spends_tokens: bool = False
    shortest: float = 3.0
    """Seconds a ground step of it has at least, whatever its share of what is left."""


class OpenSpan(Protocol):
    """A span that is going on."""

    id: str

    def note(self, **attrs: Any) -> None:
        """Add attributes; they are written when the span closes (and on the next `stack`)."""

    def fail(self, failure: Failure) -> None:
        """Record a failure without raising."""


class LoadedCrew(Protocol):
    """The user's live objects, by subject."""

    crew: Any
    inputs: dict[str, Any]
    """What kickoff is given: placeholders filled as announced."""

    def agent(self, subject: str) -> Any:
        """Return the live agent. Raises CannotProbe for an unknown subject."""

    def tool(self, subject: str) -> Any:
        """Return the live tool. Raises CannotProbe for an unknown subject."""

    def llm(self, subject: str) -> Any:
        """Return the live LLM object. Raises CannotProbe for an unknown subject."""

    def raw_call_arguments(self, subject: str) -> dict[str, Any]:
        """Return `{"client": ..., "create": ...}`: keyword arguments for the provider's own SDK, as crewai passes them.

        They hold the key: they stay in the worker. Raises CannotProbe for a foreign model, ValueError without a key.
        """

    def rebuilt(self, subject: str, seconds: float) -> tuple[Any, dict[str, float]]:
        """Return the model built again from its recorded arguments, its timeouts at most `seconds`; never a copy.

        And what those timeouts say in the user's code, by argument. Raises CannotProbe where it cannot be rebuilt.
        """

    def widen_pools(self, connections: int) -> int:
        """Allow the models' clients so many connections; how many pools could be widened."""

    def use_embedded(self, base_url: str) -> list[str]:
        """Put the embedded endpoint under every model of the crew (rebuilt, never copied); subjects replaced."""


class Redirected(Protocol):
    """This process is led: whatever it connects to is a server of ours, and believed (`worker/redirect.py`).

    It stays so: a step that was led is its process's last.
    """

    isolated: bool
    """Whether C code and child processes are led as well: it lives in a network without a way out."""
    outside: list[str]
    """What was refused because it would have gone past: then the experiment proves nothing."""

    def play(self, phase: Phase, *, status: int = 200, headers: dict[str, str] | None = None, body: str = "{}") -> None:
        """Play a phase for whatever is asked from now on; what lies in a queue of the old one is not."""

    def listen(self, listener: Callable[[dict[str, Any]], None]) -> None:
        """Call `listener` with each thing heard from now on, in a thread of ours."""

    def heard(self, what: str = "") -> list[dict[str, Any]]:
        """What the server heard so far, of one kind or of all.

        `what`: `lookup accepted hello secured request left`; `at`: `time.monotonic()` here; `n`: number of the
        connection; `host`; of a request `method` (of other protocols its command), of a connection `port`.
        """


class Bench(Protocol):
    """All a probe may use in a worker. Heavy imports belong inside `run`."""

    def span(
        self, name: str, /, *, subject: str = "", layer: Layer | None = None, **attrs: Any
    ) -> AbstractContextManager[OpenSpan]:
        """Time an operation. An exception passing through is classified, recorded as its failure, and re-raised."""

    def event(self, name: str, /, **attrs: Any) -> None:
        """Record a moment."""

    def fact(self, name: str, value: Any) -> None:
        """Note a JSON result of the step under `name` (last one wins; survives a kill)."""

    def classify(self, error: BaseException) -> Failure:
        """Classify an exception into the closed vocabulary."""

    def remaining(self) -> float:
        """Seconds until this step's deadline."""

    def loaded(self) -> LoadedCrew:
        """The user's crew (steps of worker `loaded`). Raises CannotProbe when it does not load."""

    def guard_writes(self, *, allowed: bool, tools: Sequence[str] = ()) -> AbstractContextManager[None]:
        """Stop calls that may change the world at the tap (`blocked.would_write`) unless `allowed`.

        `tools`: subjects the user lets through all the same.
        """

    def blocked(self) -> tuple[str, ...]:
        """Return what `guard_writes` has stopped in this step so far, in words: `POST api.local:443`."""

    def redirect(self, ports: Sequence[int] = ()) -> Redirected:
        """Lead this process from now on; `ports`: where C code may connect to. The step's `args["redirected"]` is true.

        Raises CannotProbe where it cannot be led, or where a canary shows that it is not.
        """

    def arguments(
        self, schema: Mapping[str, Any], *, given: Mapping[str, Any], recorded: Mapping[str, Any], places: Sequence[str]
    ) -> tuple[dict[str, Any], str]:
        """Realistic arguments for a JSON Schema and their source: `given recorded schema synthesised`.

        `places`: URLs that may stand for arguments that name a place to contact. Raises CannotProbe when a required
        argument cannot be made up.
        """

    def error_in(self, output: Any) -> str:
        """Return the error a tool returned as its answer (it raised nothing), one short line; empty for an answer."""

    def look_at(self, thread: int, *, seconds: float, span: str = "", **attrs: Any) -> None:
        """Record where a thread is right now; it has been held there for `seconds`."""

    def made(self, name: str) -> list[tuple[dict[str, Any], Failure | None]]:
        """Attributes and failures of the spans called `name` in this step so far; of very many, the latest."""

    def move(self) -> None:
        """Tell the supervisor that something moved (bytes, spans and events do so by themselves)."""
