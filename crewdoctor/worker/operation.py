"""What a recorder keeps of one operation: the span it belongs to, and what blocks."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Hashable
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from crewdoctor.model.layer import Layer
from crewdoctor.model.span import Failure
from crewdoctor.wire.lines import Lines

if TYPE_CHECKING:
    from crewdoctor.worker.recorder import Recorder

current: ContextVar[str | None] = ContextVar("crewdoctor_current_span", default=None)
"""Id of the span the running code belongs to. `worker/context.py` carries it into threads and pools."""


@dataclass(slots=True)
class Operation:
    """A blocking operation that is going on right now."""

    kind: str
    """`recv send connect tls dns sleep lock process queue file database`"""
    peer: str = ""
    """host:port."""
    timeout: Any = None
    """Wire form of the Timeout in force, None where it is not known."""
    started: float = 0.0
    """`Recorder.now()`."""
    span: str | None = None
    thread_id: int = 0
    bytes: int = 0
    """Received so far."""
    task: weakref.ReferenceType[Any] | None = None
    """The asyncio task that waits, where one does: its await chain names the line, the thread's frames do not."""


WAITING, WRITTEN, OVER, DROPPED = range(4)
"""How much of a span has been written: nothing, its start, all of it; or nothing of it is to be (`worker/spool.py`)."""


class Recorded:
    """A span as its process knows it: what children and the watchdog ask, and what is still to be written.

    What it says in words is a property: on the way of a request there is time to note, not to tell.
    """

    __slots__ = ("above", "end", "failure", "id", "layer", "requests", "start", "state", "subject", "thread_id")

    is_request = False
    """Whether exchanges beneath it belong to it (`taps/calls.py`)."""

    id: str
    above: Recorded | None
    subject: str
    layer: str
    thread_id: int
    start: float
    end: float | None
    failure: Failure | None
    state: int
    requests: int
    """Requests begun directly inside it: the attempts of a model call."""

    @property
    def name(self) -> str:
        """One of docs/spans.md."""
        raise NotImplementedError

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes given at the start."""
        raise NotImplementedError

    @property
    def added(self) -> dict[str, Any]:
        """Attributes given at the end."""
        raise NotImplementedError

    @property
    def open(self) -> bool:
        """Whether it is going on."""
        return self.end is None

    @property
    def place(self) -> Hashable:
        """Whose it is and where it leads, if there may be many of the same (`wire/thinning.py`)."""
        return None

    def opening(self, lines: Lines) -> str:
        """`attrs` as text."""
        return lines.body(self.attrs)

    def closing(self, lines: Lines) -> str:
        """`added` as text."""
        return lines.members(self.added)

    def cut(self, failure: Failure | None) -> None:
        """End it from without."""
        raise NotImplementedError

    def waits(self) -> Operation | None:
        """What a coroutine is waiting for that made this request."""
        return None

    def within(self) -> Recorded | None:
        """The span that is told along with this one, in no queue of its own, if there is one."""
        return None

    def release(self) -> None:
        """Everything was said: let go of what that took."""


class Known(Recorded):
    """A span told in full by whoever opens and closes it."""

    __slots__ = ("added", "attrs", "name")

    name: str
    attrs: dict[str, Any]
    added: dict[str, Any]

    def __init__(
        self,
        span_id: str,
        name: str,
        subject: str,
        layer: str,
        thread_id: int,
        start: float,
        above: Recorded | None,
        attrs: dict[str, Any],
    ) -> None:
        self.id, self.name, self.subject, self.layer = span_id, name, subject, layer
        self.thread_id, self.start, self.above = thread_id, start, above
        self.attrs, self.added = attrs, {}
        self.failure: Failure | None = None
        self.end: float | None = None
        self.state, self.requests = WAITING, 0


S = TypeVar("S", bound="RecordedSpan")


class RecordedSpan:
    """A span as a context manager: `with recorder.span(...) as span`."""

    __slots__ = ("_attrs", "_failure", "_layer", "_name", "_recorder", "_subject", "_token", "id")

    def __init__(self, recorder: Recorder, name: str, subject: str, layer: Layer | None, attrs: dict[str, Any]) -> None:
        self._recorder, self._name, self._subject, self._layer = recorder, name, subject, layer
        self._attrs = attrs
        self._failure: Failure | None = None
        self._token: Token[str | None] | None = None
        self.id = ""

    def __enter__(self) -> RecordedSpan:  # noqa: PYI034 - typing.Self needs Python 3.11
        self.id = self._recorder.open(self._name, subject=self._subject, layer=self._layer, **self._attrs)
        self._attrs = {}
        self._token = current.set(self.id or current.get())
        return self

    def note(self, **attrs: Any) -> None:
        """Add attributes; they are written when the span closes."""
        self._attrs.update(attrs)

    def fail(self, failure: Failure) -> None:
        """Record a failure without raising."""
        self._failure = failure

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and self._failure is None:
            self._failure = self._recorder.classify(error)
        if self._token is not None:
            try:
                current.reset(self._token)
            except ValueError:  # left in another context: a generator or a callback closed it
                current.set(None)
        self._recorder.close(self.id, failure=self._failure, **self._attrs)


class Loop:
    """How to ask for the event loop that runs in this thread; says none until asyncio is imported."""

    __slots__ = ("running", "task")

    def __init__(self) -> None:
        self.running: Callable[[], Any] = bool
        self.task: Callable[[Any], Any] = bool

    def asks(self, asyncio: Any) -> None:
        """Ask this module from now on."""
        self.running = asyncio._get_running_loop
        # In 3.11 `current_task` is written in Python, and this stands in the way of every request.
        self.task = asyncio.tasks._current_tasks.get if sys.version_info < (3, 12) else asyncio.current_task


loop = Loop()


def running_task() -> weakref.ReferenceType[Any] | None:
    """Return the asyncio task this thread is running."""
    running = loop.running()
    task = loop.task(running) if running else None
    return None if task is None else weakref.ref(task)
