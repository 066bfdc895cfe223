"""The thread crewai's event bus keeps: stopped before a fork, started again in the child.

crewai 1.0 to 1.11 starts it while it is imported, later ones with the first handler that needs it. A fork would leave
the child a loop nobody runs: its async handlers would never be called.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

_JOIN_WITHIN = 1.0
_parked: list[Any] = []
"""The bus whose thread was stopped in this process or the one it was forked from."""


def park() -> None:
    """Stop the thread where the bus has one that is idle; else leave everything as it is."""
    bus = getattr(sys.modules.get("crewai.events.event_bus"), "crewai_event_bus", None)
    loop, thread = getattr(bus, "_loop", None), getattr(bus, "_loop_thread", None)
    if not (isinstance(loop, asyncio.AbstractEventLoop) and isinstance(thread, threading.Thread)):
        return
    if not thread.is_alive() or not callable(getattr(bus, "_run_loop", None)) or asyncio.all_tasks(loop):
        return
    loop.call_soon_threadsafe(loop.stop)
    thread.join(_JOIN_WITHIN)
    if not thread.is_alive():
        loop.close()
        _parked[:] = [bus]


def resume() -> None:
    """Start the thread of a parked bus again, on a loop of its own: the old one's descriptors belong to the parent."""
    while _parked:
        bus = _parked.pop()
        name = bus._loop_thread.name
        bus._loop = asyncio.new_event_loop()
        bus._loop_thread = threading.Thread(target=bus._run_loop, name=name, daemon=True)
        bus._loop_thread.start()
