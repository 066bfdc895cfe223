"""`/v1/embeddings`: unit vectors that depend on the text alone."""

from __future__ import annotations

import base64
import hashlib
import random
import struct
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crewdoctor.endpoint.chat import bad_request, request_body
from crewdoctor.endpoint.pacing import count


async def create(request: Request) -> Response:
    """Embed one text, a list of texts, or lists of token numbers."""
    body = await request_body(request)
    given = body.get("input") if body else None
    if body is None or not isinstance(given, (str, list)):
        return bad_request("the body must be a JSON object with an input")
    request.scope["crewdoctor.entry"]["model"] = str(body.get("model"))
    alone = isinstance(given, str) or (bool(given) and all(isinstance(each, int) for each in given))
    texts = [str(given)] if alone else [str(each) for each in given]
    asked = body.get("dimensions")
    size = asked if isinstance(asked, int) and asked > 0 else request.app.state.options.embedding_size
    vectors = [_vector(text, size) for text in texts]
    coded: list[Any] = [_packed(each) for each in vectors] if body.get("encoding_format") == "base64" else [*vectors]
    tokens = sum(count(text) for text in texts)
    return JSONResponse(
        {
            "object": "list",
            "model": str(body.get("model") or "simulated"),
            "data": [{"object": "embedding", "index": index, "embedding": each} for index, each in enumerate(coded)],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def _vector(text: str, size: int) -> list[float]:
    draw = random.Random(hashlib.sha256(text.encode()).digest())  # noqa: S311 - repeatable numbers, no secret
    numbers = [draw.gauss(0, 1) for _ in range(size)]
    length = sum(number * number for number in numbers) ** 0.5 or 1.0
    return [number / length for number in numbers]


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
