"""How fast an answer comes: the first token, the gaps between tokens, and the one after which nothing comes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from starlette.types import Receive

from crewdoctor.endpoint.options import EndpointOptions


def tokens_of(text: str) -> list[str]:
    """Cut text into pieces about as long as a model's tokens; joined they are the text again."""
    return [piece for word in re.findall(r"\s*\S+|\s+$", text) for piece in re.findall(r"(?s).{1,6}", word)]


def count(text: str) -> int:
    """Tokens of a prompt, as a model provider would bill it: about one per four characters."""
    return max(1, -(-len(text) // 4))


async def for_ever(receive: Receive) -> None:
    """Say nothing until the client goes away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def paced(tokens: list[str], options: EndpointOptions, receive: Receive) -> AsyncIterator[str]:
    """Yield tokens at the pace asked for; the first one is yielded only after `first_token` seconds."""
    for index, token in enumerate(tokens):
        if index == options.stall_after:
            await for_ever(receive)
            return
        if index:
            await asyncio.sleep(options.inter_token)
        yield token


async def whole(tokens: list[str], options: EndpointOptions, receive: Receive) -> bool:
    """Take the time all tokens take; False: it stalled, and the client has gone away."""
    stalls = options.stall_after is not None and options.stall_after < len(tokens)
    made = options.stall_after if stalls and options.stall_after is not None else len(tokens)
    await asyncio.sleep(options.inter_token * max(0, made - 1))
    if stalls:
        await for_ever(receive)
    return not stalls
