"""Loading without what crewai starts beside the user's code: event threads, and a memory for every Flow.

The event bus starts its threads at the first event (a Flow tells of its own construction), and a Flow's memory opens a
store that starts one: a process with threads cannot be forked. Nobody listens to events yet, and a Flow that only runs
up to its crew's kickoff writes no memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_NO_MEMORY = "_skip_auto_memory"
"""What crewai's own internal Flows set."""


@contextmanager
def silent_bus() -> Iterator[None]:
    """Within, events go nowhere."""
    try:
        from crewai.events.event_bus import crewai_event_bus
    except ImportError:  # an older crewai has its bus elsewhere, and starts its thread when it is imported
        yield
        return
    kind = type(crewai_event_bus)
    original = kind.emit
    kind.emit = lambda *_args, **_kwargs: None
    try:
        yield
    finally:
        kind.emit = original


@contextmanager
def flows_without_memory() -> Iterator[None]:
    """Within, a Flow gets no memory it did not ask for."""
    try:
        from crewai.flow.flow import Flow
    except ImportError:
        yield
        return
    kind = next(each for each in reversed(Flow.__mro__) if each.__name__ == "Flow")
    if _NO_MEMORY in kind.__dict__:
        yield
        return
    type.__setattr__(kind, _NO_MEMORY, True)
    try:
        yield
    finally:
        type.__delattr__(kind, _NO_MEMORY)
