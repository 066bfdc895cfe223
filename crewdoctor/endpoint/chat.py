"""`/v1/chat/completions`: plain, streamed, with tools, in JSON mode."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from crewdoctor.endpoint.actor import Turn, act
from crewdoctor.endpoint.conversation import Conversation, from_chat
from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.pacing import count, paced, tokens_of, whole


async def completions(request: Request) -> Response:
    """Answer a chat."""
    options: EndpointOptions = request.app.state.options
    body = await request_body(request)
    if body is None or not isinstance(body.get("messages"), list):
        return bad_request("the body must be a JSON object with a list of messages")
    conversation = from_chat(body)
    turn = act(conversation, options, page_of(request))
    entry = request.scope["crewdoctor.entry"]
    entry.update(model=str(body.get("model")), stream=bool(body.get("stream")), tool=turn.named)
    tokens, reason = cut(turn, conversation)
    base = {
        "id": f"chatcmpl-{entry['number']:08d}",
        "created": int(time.time()),
        "model": str(body.get("model") or "simulated"),
        "system_fingerprint": "fp_crewdoctor_simulated",
    }
    usage = usage_of(conversation, tokens)
    await asyncio.sleep(options.first_token)
    if body.get("stream"):
        with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        chunks = _chunks(request, base, turn, tokens, reason, usage if with_usage else None)
        return StreamingResponse(chunks, media_type="text/event-stream")
    if not await whole(tokens, options, request.receive):
        return Response(status_code=499)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(tokens) if not turn.tool else None}
    message["refusal"] = None
    if turn.tool:
        message["tool_calls"] = [_call(turn, entry["number"])]
    several = body.get("n") if isinstance(body.get("n"), int) else 1
    choices = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": reason}
        for index in range(max(1, several or 1))
    ]
    return JSONResponse({**base, "object": "chat.completion", "choices": choices, "usage": usage})


async def request_body(request: Request) -> dict[str, Any] | None:
    """Return the JSON object a client sent, or None."""
    try:
        body = await request.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def bad_request(message: str) -> JSONResponse:
    """Refuse as model providers do."""
    return JSONResponse({"error": {"message": message, "type": "invalid_request_error", "code": None}}, 400)


def page_of(request: Request) -> str:
    """Return the address of a page that answers: what an invented `url` argument points to."""
    return f"{request.url.scheme}://{request.headers.get('host', '127.0.0.1')}/_crewdoctor/page"


def cut(turn: Turn, conversation: Conversation) -> tuple[list[str], str]:
    """Return the tokens of a turn and why it ends. A tool call or JSON is never cut: a torn one ends no crew."""
    if turn.tool:
        return tokens_of(turn.arguments), "tool_calls"
    tokens = tokens_of(turn.text)
    whole_only = conversation.schema is not None or conversation.json or "Final Answer:" in turn.text
    if conversation.limit is not None and len(tokens) > conversation.limit and not whole_only:
        return tokens[: conversation.limit], "length"
    return tokens, "stop"


def usage_of(conversation: Conversation, tokens: list[str]) -> dict[str, Any]:
    """Return the tokens a provider would bill."""
    prompt = count(conversation.text + conversation.own_text) + sum(count(str(each)) for each in conversation.tools)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": len(tokens),
        "total_tokens": prompt + len(tokens),
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _call(turn: Turn, number: int) -> dict[str, Any]:
    function = {"name": turn.tool, "arguments": turn.arguments}
    return {"id": f"call_{number:08d}", "type": "function", "function": function}


async def _chunks(
    request: Request, base: dict[str, Any], turn: Turn, tokens: list[str], reason: str, usage: dict[str, Any] | None
) -> AsyncIterator[bytes]:
    options: EndpointOptions = request.app.state.options
    number = request.scope["crewdoctor.entry"]["number"]

    def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunk = {**base, "object": "chat.completion.chunk", "choices": [choice]}
        return _sse({**chunk, "usage": None} if usage else chunk)

    opening: dict[str, Any] = {"role": "assistant", "content": "" if not turn.tool else None}
    if turn.tool:
        call = _call(turn, number)
        opening["tool_calls"] = [{"index": 0, **call, "function": {"name": turn.tool, "arguments": ""}}]
    yield event(opening)
    async for token in paced(tokens, options, request.receive):
        piece: dict[str, Any] = {"content": token}
        if turn.tool:
            piece = {"tool_calls": [{"index": 0, "function": {"arguments": token}}]}
        yield event(piece)
    yield event({}, reason)
    if usage:
        yield _sse({**base, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def _sse(body: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(body)}\n\n".encode()
