"""Anthropic's `/v1/messages`, plain and streamed, with tools and structured output; `/v1/messages/count_tokens`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from crewdoctor.endpoint.actor import Turn, act
from crewdoctor.endpoint.chat import cut, page_of, request_body, usage_of
from crewdoctor.endpoint.conversation import from_messages
from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.pacing import count, paced, whole

_REASONS = {"tool_calls": "tool_use", "length": "max_tokens", "stop": "end_turn"}


async def count_tokens(request: Request) -> Response:
    """Count the tokens of a request that is not made."""
    body = await request_body(request)
    if body is None:
        return bad_request("the body must be a JSON object")
    request.scope["crewdoctor.entry"]["model"] = str(body.get("model"))
    return JSONResponse({"input_tokens": count(json.dumps(body))})


async def create(request: Request) -> Response:
    """Answer a list of messages."""
    options: EndpointOptions = request.app.state.options
    body = await request_body(request)
    if body is None or not isinstance(body.get("messages"), list):
        return bad_request("the body must be a JSON object with a list of messages")
    if not isinstance(body.get("max_tokens"), int):
        return bad_request("max_tokens: Field required")
    conversation = from_messages(body)
    turn = act(conversation, options, page_of(request))
    entry = request.scope["crewdoctor.entry"]
    entry.update(model=str(body.get("model")), stream=bool(body.get("stream")), tool=turn.named)
    tokens, reason = cut(turn, conversation)
    used = usage_of(conversation, tokens)
    message: dict[str, Any] = {
        "id": f"msg_{entry['number']:08d}",
        "type": "message",
        "role": "assistant",
        "model": str(body.get("model") or "simulated"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": used["prompt_tokens"], "output_tokens": 1},
    }
    await asyncio.sleep(options.first_token)
    if body.get("stream"):
        events = _events(request, message, turn, tokens, _REASONS[reason])
        return StreamingResponse(events, media_type="text/event-stream")
    if not await whole(tokens, options, request.receive):
        return Response(status_code=499)
    message["content"] = [_block(turn, "".join(tokens), entry["number"])]
    message["usage"]["output_tokens"] = len(tokens)
    return JSONResponse({**message, "stop_reason": _REASONS[reason]})


def bad_request(message: str) -> JSONResponse:
    """Refuse as Anthropic does."""
    return JSONResponse(refusal(message, "invalid_request_error"), 400)


def refusal(message: str, kind: str) -> dict[str, Any]:
    """Anthropic's form of an error."""
    return {"type": "error", "error": {"type": kind, "message": message}}


def _block(turn: Turn, text: str, number: int) -> dict[str, Any]:
    if turn.tool:
        return {"type": "tool_use", "id": f"toolu_{number:08d}", "name": turn.tool, "input": json.loads(turn.arguments)}
    return {"type": "text", "text": text}


async def _events(
    request: Request, message: dict[str, Any], turn: Turn, tokens: list[str], reason: str
) -> AsyncIterator[bytes]:
    options: EndpointOptions = request.app.state.options
    empty = _block(turn, "", request.scope["crewdoctor.entry"]["number"])
    if turn.tool:
        empty["input"] = {}
    yield _event("message_start", message=message)
    yield _event("content_block_start", index=0, content_block=empty)
    async for token in paced(tokens, options, request.receive):
        delta = {"type": "text_delta", "text": token}
        if turn.tool:
            delta = {"type": "input_json_delta", "partial_json": token}
        yield _event("content_block_delta", index=0, delta=delta)
    yield _event("content_block_stop", index=0)
    yield _event(
        "message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": len(tokens)}
    )
    yield _event("message_stop")


def _event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
