"""What a coroutine waits for that somebody else must set, and whether asyncio would end it."""

from __future__ import annotations

import asyncio

import pytest

from crewdoctor.worker.awaits import OTHERS, awaited, chain, seconds_left


async def for_event():
    await asyncio.Event().wait()


async def for_lock():
    lock = asyncio.Lock()
    async with lock, lock:
        pass


async def for_future():
    await asyncio.get_running_loop().create_future()


async def for_others():
    await asyncio.gather(for_event(), for_event())


async def for_time():
    await asyncio.sleep(60)


async def limited():
    await asyncio.wait_for(for_event(), 60)


def seen(coroutine):
    """What is said of a task once it waits: in words, its innermost user's line, whether nothing would end it."""

    async def looked():
        task = asyncio.ensure_future(coroutine)
        for _ in range(5):
            await asyncio.sleep(0)
        stack = chain(task.get_coro())
        told = awaited(task, stack), seconds_left(task) == float("inf"), [code.co_name for code, _ in stack]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return told

    return asyncio.run(looked())


@pytest.mark.parametrize(
    ("coroutine", "words", "line"),
    [
        (for_event, "an event of asyncio", "for_event"),
        (for_lock, "a lock of asyncio", "for_lock"),
        (for_future, "the result of a future", "for_future"),
    ],
)
def test_what_somebody_must_set_is_named_with_the_users_line_and_nothing_ends_it(coroutine, words, line):
    told, endless, names = seen(coroutine())
    assert (told, endless) == (words, True)
    assert line in names


async def for_some():
    await asyncio.wait({asyncio.get_running_loop().create_future()})


@pytest.mark.parametrize(("coroutine", "words"), [(for_others, OTHERS), (for_some, OTHERS), (for_time, "")])
def test_who_waits_for_other_tasks_or_for_time_waits_for_nobody_to_set_anything(coroutine, words):
    assert seen(coroutine())[0] == words


def test_a_limit_of_asyncio_is_seen_as_a_timer():
    assert seen(limited())[1] is False
    assert seen(for_time())[1] is False
