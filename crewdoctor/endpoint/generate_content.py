"""Gemini's `models/{model}:generateContent`, `:streamGenerateContent` and `:countTokens`."""

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
from crewdoctor.endpoint.conversation import from_contents
from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.pacing import count, paced, whole

PATHS = (":generateContent", ":streamGenerateContent", ":countTokens")
_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
_REASONS = {"tool_calls": "STOP", "length": "MAX_TOKENS", "stop": "STOP"}


async def call(request: Request) -> Response:
    """Answer, count, or say that there is no such method."""
    path = request.scope["path"]
    model, _, method = path.rpartition("/")[2].partition(":")
    body = await request_body(request)
    entry = request.scope["crewdoctor.entry"]
    entry["model"] = model
    if not path.endswith(PATHS):
        return JSONResponse(refusal("no such method", HTTPStatus.NOT_FOUND), HTTPStatus.NOT_FOUND)
    if body is None or not isinstance(body.get("contents"), list):
        return JSONResponse(refusal("contents is not specified", HTTPStatus.BAD_REQUEST), HTTPStatus.BAD_REQUEST)
    if method == "countTokens":
        return JSONResponse({"totalTokens": count(json.dumps(body["contents"]))})
    options: EndpointOptions = request.app.state.options
    conversation = from_contents(body)
    turn = act(conversation, options, page_of(request))
    stream = method == "streamGenerateContent"
    entry.update(stream=stream, tool=turn.named)
    tokens, reason = cut(turn, conversation)
    used = usage_of(conversation, tokens)
    base = {
        "modelVersion": model,
        "responseId": f"resp-{entry['number']:08d}",
        "usageMetadata": {
            "promptTokenCount": used["prompt_tokens"],
            "candidatesTokenCount": len(tokens),
            "totalTokenCount": used["total_tokens"],
        },
    }
    await asyncio.sleep(options.first_token)
    if stream:
        chunks = _chunks(request, base, turn, tokens, _REASONS[reason])
        return StreamingResponse(chunks, media_type="text/event-stream")
    if not await whole(tokens, options, request.receive):
        return Response(status_code=499)
    return JSONResponse({**base, "candidates": [_candidate(_part(turn, "".join(tokens)), _REASONS[reason])]})


def refusal(message: str, status: int) -> dict[str, Any]:
    """Google's form of an error."""
    return {"error": {"code": int(status), "message": message, "status": _STATUS.get(int(status), "INTERNAL")}}


def _part(turn: Turn, text: str) -> dict[str, Any]:
    if turn.tool:
        return {"functionCall": {"name": turn.tool, "args": json.loads(turn.arguments)}}
    return {"text": text}


def _candidate(part: dict[str, Any] | None, reason: str = "") -> dict[str, Any]:
    content = {"role": "model", "parts": [part] if part else []}
    return {"index": 0, "content": content, **({"finishReason": reason} if reason else {})}


async def _chunks(
    request: Request, base: dict[str, Any], turn: Turn, tokens: list[str], reason: str
) -> AsyncIterator[bytes]:
    """Text in pieces; a call of a function is never torn: it comes whole, in the time its tokens take."""
    options: EndpointOptions = request.app.state.options
    if turn.tool:
        if not await whole(tokens, options, request.receive):
            return
        yield _sse({**base, "candidates": [_candidate(_part(turn, ""))]})
    else:
        async for token in paced(tokens, options, request.receive):
            yield _sse({**base, "candidates": [_candidate({"text": token})]})
    yield _sse({**base, "candidates": [_candidate(None, reason)]})


def _sse(body: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(body)}\r\n\r\n".encode()
