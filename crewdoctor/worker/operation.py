"""What a recorder keeps of one operation: the span it belongs to, and what blocks."""

from __future__ import annotations

import sys
import weakref
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from crewdoctor.model.layer import Layer
from crewdoctor.model.span import Failure

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


class Known:
    """A span as its process knows it: what children and the watchdog ask, and what is still to be written."""

    __slots__ = (
        "above",
        "added",
        "attrs",
        "dropped",
        "end",
        "failure",
        "id",
        "layer",
        "name",
        "over",
        "start",
        "subject",
        "thread_id",
        "written",
    )

    def __init__(
        self,
        span_id: str,
        name: str,
        subject: str,
        layer: str,
        thread_id: int,
        start: float,
        above: Known | None,
        attrs: dict[str, Any],
    ) -> None:
        self.id, self.name, self.subject, self.layer = span_id, name, subject, layer
        self.thread_id, self.start, self.above = thread_id, start, above
        self.attrs = attrs
        """Attributes given at the start."""
        self.added: dict[str, Any] = {}
        """Attributes given at the end."""
        self.failure: Failure | None = None
        self.end: float | None = None
        self.written = self.over = self.dropped = False
        """Whether its start, and its end, have been written; whether neither is to be (`worker/spool.py`)."""

    @property
    def open(self) -> bool:
        """Whether it is going on."""
        return self.end is None


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


def running_task() -> weakref.ReferenceType[Any] | None:
    """Return the asyncio task this thread is running, without importing asyncio for it."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        loop = asyncio._get_running_loop()  # asked for at every blocking call: `current_task` would raise without one
        task = asyncio.current_task(loop) if loop is not None else None
    except (RuntimeError, AttributeError):
        return None
    return None if task is None else weakref.ref(task)
