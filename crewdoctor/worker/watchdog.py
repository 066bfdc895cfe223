"""A thread that looks twice a second at what blocks, and says so after 1 s, 2 s, 4 s, ... and just before the deadline.

It sees three things: operations in flight (taps name them), threads whose innermost frame does not move, and coroutines
that wait. While C code holds the GIL it sees nothing; the supervisor then asks faulthandler (SIGUSR2).
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from crewdoctor.model.setting import UNLIMITED, Location, Seconds
from crewdoctor.wire.codec import encode
from crewdoctor.worker.answer_part import answer_part
from crewdoctor.worker.awaits import OTHERS, as_set, awaited, held_up, seconds_left, tasks
from crewdoctor.worker.child_wait import child_wait
from crewdoctor.worker.descendants import Descendants
from crewdoctor.worker.descriptors import others_peer
from crewdoctor.worker.high_descriptors import pipe
from crewdoctor.worker.inflight import settle_idle
from crewdoctor.worker.kernel_wait import (
    KernelWait,
    children_cpu_seconds,
    kernel_wait,
    kind_of,
    native_id_of,
    wanted_cpu_seconds,
)
from crewdoctor.worker.operation import Operation
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.resolver_wait import nameserver_of
from crewdoctor.worker.sightings import WAITERS, Sighting, name_of, told_of
from crewdoctor.worker.stacks import Place, described, idle, in_own_coroutine, places, waiting, whose, within_library
from crewdoctor.worker.taps.shared import connections_of
from crewdoctor.worker.unseen import Unseen

TICK = 0.5
BLOCKED_AFTER = 1.0
LAST_LOOK = 0.6
"""Seconds before the deadline of the look that is always taken."""
_BUSY = 0.6
"""Share of a tick on the CPU, or in the queue for it, from which a thread computes rather than waits (ours)."""
_WORKING = 0.05
"""The same for children: one that fetches something computes little (ours)."""
_CHILDREN = "children"
_WIRE = frozenset({"recv", "send", "connect"})


@dataclass(slots=True)
class _Seen:
    place: Hashable
    since: float
    cpu: float
    looked: float
    busy_since: float | None = None


class Watchdog:
    """Watches the process of one step."""

    def __init__(self, recorder: Recorder, control: int, project_root: str) -> None:
        self._recorder, self._control, self._root = recorder, control, project_root
        self._seen: dict[Hashable, _Seen] = {}
        self._due: dict[Hashable, float] = {}
        self._children = Descendants()
        self._wake, self._waker = pipe()
        self._thread = Unseen(self._watch)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; the thread is gone when this returns."""
        with suppress(OSError):
            os.write(self._waker, b".")  # not closed: a child the user's code forked holds it open too
        self._thread.join(2.0)
        for fd in (self._wake, self._waker):
            with suppress(OSError):
                os.close(fd)

    def _watch(self) -> None:
        last_look = False
        watched = [self._control, self._wake]
        while True:
            left = self._recorder.deadline - time.monotonic() - LAST_LOOK
            try:
                ready, _, _ = select.select(watched, [], [], TICK if last_look else max(0.01, min(TICK, left)))
            except (OSError, ValueError):  # the program closed what it did not open
                return
            if self._wake in ready:
                return
            asked = self._control in ready
            if asked and not os.read(self._control, 64):
                watched.remove(self._control)
            urgent = asked or (not last_look and self._recorder.deadline - time.monotonic() <= LAST_LOOK + 0.02)
            last_look = last_look or (urgent and not asked)
            try:
                settle_idle()
                self.look(everything=urgent)
            except Exception as error:
                self._recorder.own(f"the watchdog missed a look: {error!r}")

    def look(self, *, everything: bool = False) -> None:
        """Look once. `everything`: report whatever is blocked at all, however often it was reported before."""
        now = self._recorder.now()
        sightings = [self._with_children(each, now) for each in self._sightings(now)]
        told = told_of(sightings, self._subject, now)
        self._due = {key: due for key, due in self._due.items() if any(each.key == key for each in sightings)}
        for each in told:
            seconds = now - each.since
            due = self._due.get(each.key, BLOCKED_AFTER)
            if seconds >= due or everything:
                while due <= seconds:
                    due *= 2
                self._due[each.key] = due
                self._tell(each, seconds)

    def _subject(self, each: Sighting) -> str:
        known = self._recorder._spans.get(each.span or "")
        return known.subject if known is not None else ""

    def _with_children(self, each: Sighting, now: float) -> Sighting:
        """Waiting for a child that works is working, fetching included; one that does nothing is waited for."""
        if each.waiting != "process":
            return each
        seen = self._note(_CHILDREN, None, now, children_cpu_seconds(), share=_WORKING)
        return each if seen.busy_since is None else replace(each, waiting="cpu")

    def _tell(self, each: Sighting, seconds: float) -> None:
        frames, user = described(each.stack)
        self._recorder.stack(
            {
                "span": each.span,
                "waiting": each.waiting or "unknown",
                "frames": [encode(frame) for frame in frames],
                "user_frame": encode(self._chosen(user, frames)),
                "thread": each.thread,
                "seconds": round(max(0.0, seconds), 3),
                "attrs": each.attrs,
            }
        )

    def _chosen(self, user: Location | None, frames: list[Location]) -> Location | None:
        """Of the user's frames the innermost within the project; a script outside it is second best."""
        within = [
            frame for frame in frames if whose(frame.file) == "user" and frame.file.startswith(self._root + os.sep)
        ]
        return within[0] if within else user

    # --- what blocks ---------------------------------------------------------------------------------------------

    def _sightings(self, now: float) -> Iterator[Sighting]:
        frames = {ident: frame for ident, frame in sys._current_frames().items() if ident != self._thread.ident}
        names = {thread.ident: thread for thread in threading.enumerate()}
        chains = {id(task): (ident, task, stack) for ident, task, stack in tasks(frames)}
        spans, held = self._innermost_spans(), held_up(frames)
        told_threads, told_tasks = set(), set()
        for key, operation in self._innermost_operations().items():
            task = operation.task() if operation.task is not None else None
            chained = chains.get(id(task)) if task is not None else None
            frame = frames.get(operation.thread_id)
            if chained is None and frame is None:
                continue
            told_tasks.add(id(task)) if chained else told_threads.add(operation.thread_id)
            thread = names.get(operation.thread_id)
            yield Sighting(
                ("operation", key),
                operation.started,
                chained[2] if chained else list(places(frame)),
                name_of(thread, task),
                kind_of(operation.kind, native_id_of(thread)),
                operation.span or spans.get(operation.thread_id),
                {**self._attributes(operation, native_id_of(thread), now), **_stalls(held, operation.thread_id, frame)},
            )
        for ident, frame in frames.items():
            if ident not in told_threads and (sighting := self._thread_sighting(ident, frame, names, spans, now)):
                yield replace(sighting, attrs={**sighting.attrs, **_stalls(held, ident, frame)})
        for task_id, (ident, task, stack) in chains.items():
            if task_id not in told_tasks and (sighting := self._task_sighting(task, stack, spans.get(ident), now)):
                yield sighting
        alive = {_CHILDREN, *(("thread", ident) for ident in frames), *(("task", task_id) for task_id in chains)}
        self._seen = {key: seen for key, seen in self._seen.items() if key in alive}

    def _thread_sighting(
        self, ident: int, frame: FrameType, names: dict[int | None, threading.Thread], spans: dict[int, str], now: float
    ) -> Sighting | None:
        stack = list(places(frame))
        thread = names.get(ident)
        span = spans.get(ident)
        main = thread is threading.main_thread()
        concerns = main or span is not None or any(whose(code.co_filename) == "user" for code, _ in stack)
        if not concerns or idle(stack):
            return None
        native = native_id_of(thread)
        seen = self._note(("thread", ident), (id(frame), frame.f_lasti), now, wanted_cpu_seconds(native))
        if seen.busy_since is not None:
            return Sighting(("busy", ident), seen.busy_since, stack, name_of(thread, None), "cpu", span)
        kind = waiting(stack)
        seen_by_kernel, peer, endless = KernelWait() if kind in WAITERS else kernel_wait(native)
        if seen_by_kernel == "sleep":  # Python's own sleeps are in flight: this is C code that waits for somebody
            seen_by_kernel, peer = "lock", "a library that sleeps and tries again"
        library = within_library(stack)
        if not kind and seen_by_kernel == "lock" and library and (peer := self._others_peer()):
            seen_by_kernel, endless = "recv", False  # its own threads, written in C, talk for it
        kind = kind or seen_by_kernel
        attrs: dict[str, Any] = {"peer": peer} if peer else {}
        if kind == "process" and (child := child_wait()):
            attrs["child"] = child
        # A library's own limit may lie in its server or in another thread.
        if endless and not (kind in _WIRE and library):
            attrs["timeout"] = encode(UNLIMITED)
        key = ("thread", ident, seen.place)
        return Sighting(key, seen.since, stack, name_of(thread, None), kind, span, attrs, waiter=int(kind in WAITERS))

    def _others_peer(self) -> str:
        return others_peer(connections_of(self._recorder).table)

    def _task_sighting(self, task: Any, stack: list[Place], span: str | None, now: float) -> Sighting | None:
        if not stack or not any(whose(code.co_filename) == "user" for code, _ in stack):
            return None
        seen = self._note(("task", id(task)), (id(stack[0][0]), stack[0][1]), now, 0.0)
        peer = awaited(task, stack)
        kind = waiting(stack) or ("lock" if peer else "")
        attrs: dict[str, Any] = {"peer": peer} if peer else {}
        waiter = 2 if peer == OTHERS else int(kind in WAITERS or not kind)
        left = seconds_left(task) if waiter else None
        if left is not None and (left < float("inf") or (kind and not self._bounded())):
            held = Seconds(as_set(now - seen.since + left, TICK)) if left < float("inf") else UNLIMITED
            attrs = {**attrs, "timeout": encode(held)}
        key = ("task", id(task), seen.place)
        return Sighting(key, seen.since, stack, name_of(None, task), kind, span, attrs, waiter)

    def _bounded(self) -> bool:
        """Whether somebody waits with a limit: for this task, it may be, from another thread."""
        return any(
            isinstance((operation.timeout or {}).get("timeout"), float)
            for operation in self._recorder.in_flight().values()
        )

    def _note(self, key: Hashable, place: Hashable, now: float, cpu: float, *, share: float = _BUSY) -> _Seen:
        """Remember where something was; since when it has been there, or since when it has been computing."""
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = _Seen(place, now, cpu, now)
        if place != seen.place:
            seen.place, seen.since = place, now
        elapsed = now - seen.looked
        if elapsed > TICK / 5:
            busy = cpu - seen.cpu > share * elapsed
            seen.busy_since = (seen.busy_since if seen.busy_since is not None else seen.looked) if busy else None
            seen.cpu, seen.looked = cpu, now
        return seen

    def _attributes(self, operation: Operation, native: int, now: float) -> dict[str, Any]:
        attrs: dict[str, Any] = {"bytes_received": operation.bytes, **answer_part(self._recorder, operation)}
        if operation.peer:
            attrs["peer"] = operation.peer
        if operation.timeout is not None:
            attrs["timeout"] = encode(operation.timeout)
        if operation.kind == "dns" and (asked := nameserver_of(native)):
            attrs["nameserver"] = asked
        if operation.kind == "process":
            attrs["idle_seconds"] = round(min(self._children.idle_seconds(now), now - operation.started), 3)
            if child := child_wait(operation.peer):
                attrs["child"] = child
        return attrs

    def _innermost_operations(self) -> dict[Hashable, Operation]:
        """The latest of each thread and task: an HTTP tap's wait holds the socket's within it."""
        latest: dict[Hashable, tuple[Hashable, Operation]] = {}
        for key, operation in sorted(self._recorder.in_flight().items(), key=lambda each: each[1].started):
            task = operation.task() if operation.task is not None else None
            latest[operation.thread_id, id(task) if task is not None else None] = (key, operation)
        return dict(latest.values())

    def _innermost_spans(self) -> dict[int, str]:
        found = dict(self._recorder.thread_spans)
        for span_id, known in self._recorder.open_spans().items():
            found[known.thread_id] = span_id
        return found


def _stalls(held: dict[int, int], thread_id: int, frame: FrameType | None) -> dict[str, Any]:
    return {"loop_waits": held[thread_id]} if thread_id in held and in_own_coroutine(list(places(frame))) else {}
