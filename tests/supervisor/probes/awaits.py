"""Waits in a coroutine: the thread's frames end at the loop."""

import asyncio


async def never():
    await asyncio.Event().wait()


async def outer():
    await asyncio.gather(never(), asyncio.sleep(600))


def run(step, bench):
    with bench.span("tool.call", subject="tool:async"):
        asyncio.run(outer())
