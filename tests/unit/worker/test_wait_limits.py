"""When a timer ends what is waited for, and what the kernel tells of a wait."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from crewdoctor.worker.awaits import as_set, held_up, seconds_left
from crewdoctor.worker.child_wait import child_wait
from crewdoctor.worker.descriptors import peer_of, registered, selected, shown
from crewdoctor.worker.kernel_wait import kernel_wait

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc")


async def _event():
    await asyncio.Event().wait()


async def _bounded():
    await asyncio.wait_for(_event(), 40.0)


def looked_at(coroutine, look, beside=None):
    """What `look` says of a task that has begun to wait, from another thread, as the watchdog does."""
    found = []

    async def main():
        task = asyncio.ensure_future(coroutine())
        timer = asyncio.get_running_loop().call_later(beside, print) if beside else None
        for _ in range(5):
            await asyncio.sleep(0)
        thread = threading.Thread(target=lambda: found.append(look(task)))
        thread.start()
        thread.join()
        task.cancel()
        if timer:
            timer.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    return found[0]


def test_a_wait_in_a_loop_without_timers_never_ends():
    assert looked_at(_event, seconds_left) == float("inf")


def test_a_bounded_wait_ends_when_its_timer_does():
    assert looked_at(_bounded, seconds_left) == pytest.approx(40.0, abs=2.0)


def test_a_timer_of_somebody_else_leaves_it_open_who_ends_it():
    assert looked_at(_event, seconds_left, beside=30.0) is None


@linux
def test_a_child_is_told_by_what_works_in_it():
    with subprocess.Popen(["sh", "-c", "sleep 30; true"], start_new_session=True) as child:
        try:
            deadline = time.monotonic() + 10
            while child_wait("sh").get("program") != "sleep":
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert child_wait("sh")["waiting"] == "sleep"
        finally:
            os.killpg(child.pid, signal.SIGKILL)


@linux
def test_a_pipe_nobody_writes_to_is_waited_for_without_end():
    read, write = os.pipe()
    thread = threading.Thread(target=os.read, args=(read, 1), daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 5
        while kernel_wait(thread.native_id) != ("file", "", True):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        os.write(write, b".")
        thread.join(5.0)
        os.close(read)
        os.close(write)


def test_an_address_is_shown_as_what_it_is():
    assert shown("::ffff:10.0.0.7", 443) == "10.0.0.7:443"
    assert shown("2001:db8::7", 443) == "[2001:db8::7]:443"


def test_what_cannot_be_read_names_nobody():
    assert selected(64, 0, 0, 0) == []
    assert registered(-1) == []
    assert peer_of([-1]) == ""


@pytest.mark.parametrize(("seen", "told"), [(59.5, 60.0), (60.0, 60.0), (59.2, 59.2), (2.1, 2.1), (60.05, 60.0)])
def test_a_limit_is_told_as_it_was_set(seen, told):
    assert as_set(seen, 0.5) == told


def in_loop(how):
    """What `held_up` says while a coroutine blocks its loop, beside another one or alone, and while it does not."""
    found, go = [], threading.Event()

    def look():
        found.extend(held_up(sys._current_frames()).values())
        go.set()

    async def asks():
        await asyncio.sleep(0)
        threading.Timer(0.1, look).start()
        if how == "awaits":
            await asyncio.to_thread(go.wait, 5.0)
        else:
            go.wait(5.0)

    async def main():
        await asyncio.gather(asks(), *([] if how == "alone" else [asyncio.sleep(0.05)]))

    asyncio.run(main())
    return found


@pytest.mark.parametrize(("how", "held"), [("blocks", [1]), ("alone", []), ("awaits", [])])
def test_a_blocked_loop_is_told_with_how_many_it_holds_up(how, held):
    assert in_loop(how) == held
