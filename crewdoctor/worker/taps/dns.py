"""Name lookups of the system resolver: `dns.lookup`.

asyncio runs getaddrinfo in its default executor with an empty context, so the span is opened by the loop's coroutine,
in the caller's context, and the blocking call behind it stays silent. Literal addresses ask nobody: no span.
"""

from __future__ import annotations

import socket
import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any

from crewdoctor.worker.classify import classify
from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps import names
from crewdoctor.worker.taps.tap import Tap, TimedSpan

_FAMILIES = {int(socket.AF_INET): "v4", int(socket.AF_INET6): "v6"}


class _Lookup(TimedSpan):
    """One call of getaddrinfo or gethostbyname."""

    __slots__ = ("_counted", "_host", "_running")

    def __init__(self, recorder: Recorder, host: str, port: Any, family: int, running: Counter[str] | None) -> None:
        super().__init__(
            recorder,
            "dns.lookup",
            "dns",
            peer=f"{host}:{port}" if port else host,
            host=host,
            port=_number(port),
            family=_FAMILIES.get(int(family), "any"),
            resolver="system",
        )
        self._host, self._running = host, running
        if running is not None:
            running[host] += 1

    def done(self, result: Any) -> None:
        self._leave()
        addresses = [result] if isinstance(result, str) else list(dict.fromkeys(str(each[4][0]) for each in result))
        names.remember(self._host, addresses)
        self.end(addresses=addresses)

    def failed(self, error: BaseException) -> None:
        self._leave()
        self.end(classify(error, "dns"), addresses=[])

    def _leave(self) -> None:
        if self._running is not None:
            self._running[self._host] -= 1


def install(recorder: Recorder) -> None:
    """Tap `socket.getaddrinfo`, `socket.gethostbyname` and the asyncio loops' getaddrinfo."""
    tap = Tap("dns", recorder)
    awaited: Counter[str] = Counter()

    def lookup(host: Any, port: Any = None, family: int = 0, *_rest: Any, **_more: Any) -> _Lookup | None:
        name = _name(host)
        if not name or (awaited[name] > 0 and _is_work_item()):
            return None
        return _Lookup(recorder, name, port, family, None)

    def by_name(host: Any) -> _Lookup | None:
        name = _name(host)
        return _Lookup(recorder, name, None, int(socket.AF_INET), None) if name else None

    tap.around(socket, "getaddrinfo", lookup)
    tap.around(socket, "gethostbyname", by_name)

    def loops(module: ModuleType) -> None:
        tap.around_coroutine(module.BaseEventLoop, "getaddrinfo", awaited_by(recorder, awaited))

    when_imported("asyncio.base_events", tap.safely(loops))


def awaited_by(recorder: Recorder, running: Counter[str] | None = None) -> Callable[..., TimedSpan | None]:
    """What watches a loop's getaddrinfo; `running` counts the names an executor is asked for on its behalf."""

    def awaited_lookup(_loop: Any, host: Any, port: Any = None, **more: Any) -> TimedSpan | None:
        name = _name(host)
        return _Lookup(recorder, name, port, more.get("family", 0), running) if name else None

    return awaited_lookup


def _name(host: Any) -> str:
    """Return the name to be resolved; empty for a literal address, None, and what is no host at all."""
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("ascii", "replace")
    if not isinstance(host, str) or not host or ":" in host:
        return ""
    return "" if host.replace(".", "").isdigit() else host


def _number(port: Any) -> int | None:
    try:
        return int(port)
    except (TypeError, ValueError):
        return None


def _is_work_item() -> bool:
    """Whether an executor called getaddrinfo directly, as asyncio's loop has it do."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("crewdoctor."):
        frame = frame.f_back
    return (
        frame is not None
        and frame.f_code.co_name == "run"
        and frame.f_globals.get("__name__") == "concurrent.futures.thread"
    )
