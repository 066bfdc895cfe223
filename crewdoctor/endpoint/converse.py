"""Bedrock's `/model/{model}/converse`, `/converse-stream` and `/count-tokens`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from crewdoctor.endpoint.actor import Turn, act
from crewdoctor.endpoint.chat import cut, page_of, request_body, usage_of
from crewdoctor.endpoint.conversation import from_converse
from crewdoctor.endpoint.eventstream import MEDIA_TYPE, event
from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.pacing import count, paced, whole

PATHS = ("/converse", "/converse-stream", "/count-tokens")
_REASONS = {"tool_calls": "tool_use", "length": "max_tokens", "stop": "end_turn"}
_KINDS = {400: "ValidationException", 403: "AccessDeniedException", 429: "ThrottlingException"}


async def count_tokens(request: Request) -> Response:
    """Count the tokens of a request that is not made."""
    body = await request_body(request)
    request.scope["crewdoctor.entry"]["model"] = request.path_params["model"]
    return JSONResponse({"inputTokens": count(json.dumps(body or {}))})


async def converse(request: Request) -> Response:
    """Answer a conversation; streamed on `converse-stream`."""
    options: EndpointOptions = request.app.state.options
    body = await request_body(request)
    if body is None or not isinstance(body.get("messages"), list):
        return refused("messages: a list is required", HTTPStatus.BAD_REQUEST)
    conversation = from_converse(body)
    turn = act(conversation, options, page_of(request))
    stream = request.scope["path"].endswith("-stream")
    entry = request.scope["crewdoctor.entry"]
    entry.update(model=request.path_params["model"], stream=stream, tool=turn.named)
    tokens, reason = cut(turn, conversation)
    used = usage_of(conversation, tokens)
    counted = {
        "inputTokens": used["prompt_tokens"],
        "outputTokens": len(tokens),
        "totalTokens": used["total_tokens"],
    }
    last = {"usage": counted, "metrics": {"latencyMs": 1}}
    await asyncio.sleep(options.first_token)
    if stream:
        return StreamingResponse(_events(request, turn, tokens, _REASONS[reason], last), media_type=MEDIA_TYPE)
    if not await whole(tokens, options, request.receive):
        return Response(status_code=499)
    block = {"text": "".join(tokens)}
    if turn.tool:
        block = {"toolUse": {**_use(turn, entry["number"]), "input": json.loads(turn.arguments)}}  # type: ignore[dict-item]
    output = {"message": {"role": "assistant", "content": [block]}}
    return JSONResponse({"output": output, "stopReason": _REASONS[reason], **last})


def refused(message: str, status: int) -> JSONResponse:
    """Amazon's form of an error: its kind stands in a header."""
    kind = _KINDS.get(int(status), "InternalServerException")
    return JSONResponse({"message": message}, int(status), headers={"x-amzn-errortype": kind})


def _use(turn: Turn, number: int) -> dict[str, str]:
    return {"toolUseId": f"tooluse_{number:08d}", "name": turn.tool}


async def _events(
    request: Request, turn: Turn, tokens: list[str], reason: str, last: dict[str, Any]
) -> AsyncIterator[bytes]:
    options: EndpointOptions = request.app.state.options
    yield event("messageStart", {"role": "assistant"})
    if turn.tool:
        start = {"toolUse": _use(turn, request.scope["crewdoctor.entry"]["number"])}
        yield event("contentBlockStart", {"start": start, "contentBlockIndex": 0})
    async for token in paced(tokens, options, request.receive):
        delta: dict[str, Any] = {"toolUse": {"input": token}} if turn.tool else {"text": token}
        yield event("contentBlockDelta", {"delta": delta, "contentBlockIndex": 0})
    yield event("contentBlockStop", {"contentBlockIndex": 0})
    yield event("messageStop", {"stopReason": reason})
    yield event("metadata", last)
