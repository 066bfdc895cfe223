"""Misbehaviour on demand: rate limits, error statuses, resets, silence. Drawn from the seed, request by request."""

from __future__ import annotations

import asyncio
import math
import random
import socket
import struct
import time
from collections import deque
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crewdoctor.endpoint import converse, generate_content, messages
from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.pacing import for_ever
from crewdoctor.endpoint.requests_seen import RequestsSeen

SIMULATED = "x-crewdoctor-simulated"
_MODEL_PATHS: tuple[str, ...] = (
    *("/chat/completions", "/responses", "/embeddings", "/input_tokens", "/messages", "/count_tokens"),
    *generate_content.PATHS,
    *converse.PATHS,
)
_ANTHROPIC = ("/messages", "/count_tokens")


class Faults:
    """ASGI middleware around the honest endpoint; also notes every request and marks every response as simulated."""

    def __init__(self, app: ASGIApp, options: EndpointOptions, seen: RequestsSeen) -> None:
        self.app = app
        self.options = options
        self.seen = seen
        self.allowed: deque[float] = deque()
        self.number = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer honestly, or as asked."""
        if scope["type"] != "http" or scope["path"].startswith("/_crewdoctor/"):
            await self.app(scope, receive, send)
            return
        entry = self.seen.note(scope["method"], scope["path"], Headers(scope=scope), scope.get("client"))
        scope["crewdoctor.entry"] = entry
        limits: dict[str, str] = {}

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
                headers = MutableHeaders(scope=message)
                headers[SIMULATED] = "1"
                headers["x-request-id"] = f"req_{entry['number']:08d}"
                headers.update(limits)
            await send(message)

        if scope["path"].endswith(_MODEL_PATHS) and await self._misbehaved(entry, limits, scope, receive, marked):
            return
        await self.app(scope, receive, marked)

    async def _misbehaved(
        self, entry: dict[str, Any], limits: dict[str, str], scope: Scope, receive: Receive, send: Send
    ) -> bool:
        wait = self._limited(limits)
        if wait is not None:
            entry["fault"] = "429"
            limits["retry-after"] = f"{wait:g}"
            message = "Rate limit reached for requests (simulated). Please try again later."
            await _refuse(scope, 429, message, "rate_limit_exceeded")(scope, receive, send)
            return True
        self.number += 1
        draw = random.Random(f"{self.options.seed}:{self.number}")  # noqa: S311 - repeatable faults, no secret
        if draw.random() < self.options.reset:
            entry["fault"] = "reset"
            await _drain(receive)
            await _reset(send, receive)
            return True
        if draw.random() < self.options.silent:
            entry["fault"] = "silent"
            await _drain(receive)
            await for_ever(receive)
            return True
        for status, chance in self.options.faults.items():
            if draw.random() < chance:
                entry["fault"] = status
                await asyncio.sleep(self.options.first_token)
                message = f"Simulated failure with status {status}."
                await _refuse(scope, int(status), message, "server_error")(scope, receive, send)
                return True
        return False

    def _limited(self, limits: dict[str, str]) -> float | None:
        """Count this request; seconds to wait when it is one too many. Fills the x-ratelimit headers."""
        most = self.options.rate_limit
        if most is None:
            return None
        now = time.monotonic()
        while self.allowed and self.allowed[0] <= now - self.options.rate_period:
            self.allowed.popleft()
        refused = len(self.allowed) >= most
        if not refused:
            self.allowed.append(now)
        until = (self.allowed[0] + self.options.rate_period - now) if self.allowed else self.options.rate_period
        limits["x-ratelimit-limit-requests"] = str(most)
        limits["x-ratelimit-remaining-requests"] = str(most - len(self.allowed))
        limits["x-ratelimit-reset-requests"] = f"{until:.3f}s"
        if not refused:
            return None
        return self.options.retry_after if self.options.retry_after is not None else float(math.ceil(until))


def _refuse(scope: Scope, status: int, message: str, code: str) -> JSONResponse:
    """Refuse in the form of the provider whose path it is."""
    if scope["path"].endswith(_ANTHROPIC):
        kind = "rate_limit_error" if status == 429 else "api_error"  # noqa: PLR2004 - RFC 6585
        return JSONResponse(messages.refusal(message, kind), status)
    if scope["path"].endswith(converse.PATHS):
        return converse.refused(message, status)
    if scope["path"].endswith(generate_content.PATHS):
        return JSONResponse(generate_content.refusal(message, status), status)
    return JSONResponse({"error": {"message": message, "type": code, "param": None, "code": code}}, status)


async def _drain(receive: Receive) -> None:
    """Read the request to its end, as a server that dies afterwards would have."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return


async def _reset(send: Send, receive: Receive) -> None:
    """Close with RST. ASGI hides the transport; uvicorn's `send` is a bound method of the object that holds it."""
    inner: Any = send
    for _ in range(8):
        transport = getattr(getattr(inner, "__self__", None), "transport", None)
        if transport is not None:
            _abort(transport)
            return
        cells = getattr(inner, "__closure__", None) or ()
        inner = next((cell.cell_contents for cell in cells if callable(cell.cell_contents)), None)
    await for_ever(receive)


def _abort(transport: Any) -> None:
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
