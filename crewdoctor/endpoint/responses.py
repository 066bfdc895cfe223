"""`/v1/responses` and `/v1/responses/input_tokens`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from crewdoctor.endpoint.actor import Turn, act
from crewdoctor.endpoint.chat import bad_request, cut, page_of, request_body, usage_of
from crewdoctor.endpoint.conversation import Conversation, from_responses
from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.pacing import count, paced, whole

_REMEMBERED = 1000


async def input_tokens(request: Request) -> Response:
    """Count the tokens of a request that is not made."""
    body = await request_body(request)
    if body is None:
        return bad_request("the body must be a JSON object")
    request.scope["crewdoctor.entry"]["model"] = str(body.get("model"))
    return JSONResponse({"object": "response.input_tokens", "input_tokens": count(json.dumps(body))})


async def create(request: Request) -> Response:
    """Answer, remembering which tools the conversation has called."""
    options: EndpointOptions = request.app.state.options
    remembered: dict[str, tuple[str, ...]] = request.app.state.remembered
    body = await request_body(request)
    if body is None or not isinstance(body.get("input"), (str, list)):
        return bad_request("the body must be a JSON object with an input")
    conversation = from_responses(body, remembered.get(str(body.get("previous_response_id")), ()))
    turn = act(conversation, options, page_of(request))
    entry = request.scope["crewdoctor.entry"]
    entry.update(model=str(body.get("model")), stream=bool(body.get("stream")), tool=turn.named)
    tokens, reason = cut(turn, conversation)
    identity = f"resp_{entry['number']:08d}"
    remembered[identity] = (*conversation.called, *([turn.tool] if turn.tool else []))
    while len(remembered) > _REMEMBERED:
        del remembered[next(iter(remembered))]
    response = _response(identity, body, conversation, tokens, reason)
    item = _item(turn, "".join(tokens), entry["number"])
    await asyncio.sleep(options.first_token)
    if body.get("stream"):
        events = _events(request, response, item, tokens)
        return StreamingResponse(events, media_type="text/event-stream")
    if not await whole(tokens, options, request.receive):
        return Response(status_code=499)
    return JSONResponse({**response, "output": [item]})


def _response(
    identity: str, body: dict[str, Any], conversation: Conversation, tokens: list[str], reason: str
) -> dict[str, Any]:
    usage = usage_of(conversation, tokens)
    return {
        "id": identity,
        "object": "response",
        "created_at": int(time.time()),
        "status": "incomplete" if reason == "length" else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if reason == "length" else None,
        "instructions": body.get("instructions"),
        "metadata": {},
        "model": str(body.get("model") or "simulated"),
        "output": [],
        "parallel_tool_calls": False,
        "temperature": body.get("temperature"),
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p"),
        "previous_response_id": body.get("previous_response_id"),
        "text": body.get("text") or {"format": {"type": "text"}},
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage["total_tokens"],
        },
    }


def _item(turn: Turn, text: str, number: int) -> dict[str, Any]:
    if turn.tool:
        return {
            "type": "function_call",
            "id": f"fc_{number:08d}",
            "call_id": f"call_{number:08d}",
            "name": turn.tool,
            "arguments": turn.arguments,
            "status": "completed",
        }
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "type": "message",
        "id": f"msg_{number:08d}",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


async def _events(
    request: Request, response: dict[str, Any], item: dict[str, Any], tokens: list[str]
) -> AsyncIterator[bytes]:
    number = 0

    def event(kind: str, **fields: Any) -> bytes:
        nonlocal number
        number += 1
        body = {"type": kind, "sequence_number": number - 1, **fields}
        return f"event: {kind}\ndata: {json.dumps(body)}\n\n".encode()

    calls = item["type"] == "function_call"
    where = {"item_id": item["id"], "output_index": 0, **({} if calls else {"content_index": 0})}
    kind = "response.function_call_arguments" if calls else "response.output_text"
    extra: dict[str, Any] = {} if calls else {"logprobs": []}
    started = {**response, "status": "in_progress", "usage": None}
    yield event("response.created", response=started)
    yield event("response.in_progress", response=started)
    empty: dict[str, Any] = {
        **item,
        "status": "in_progress",
        ("arguments" if calls else "content"): "" if calls else [],
    }
    yield event("response.output_item.added", output_index=0, item=empty)
    if not calls:
        part = {**item["content"][0], "text": ""}
        yield event("response.content_part.added", part=part, **where)
    async for token in paced(tokens, request.app.state.options, request.receive):
        yield event(f"{kind}.delta", delta=token, **where, **extra)
    if calls:
        yield event(f"{kind}.done", arguments=item["arguments"], name=item["name"], **where)
    else:
        yield event(f"{kind}.done", text=item["content"][0]["text"], **where, **extra)
        yield event("response.content_part.done", part=item["content"][0], **where)
    yield event("response.output_item.done", output_index=0, item=item)
    final = "response.completed" if response["status"] == "completed" else "response.incomplete"
    yield event(final, response={**response, "output": [item]})
