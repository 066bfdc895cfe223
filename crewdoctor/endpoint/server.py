"""The embedded endpoint: a model that costs nothing, on 127.0.0.1, in the wire forms of several providers.

Needs starlette and uvicorn only, so that fixtures may use it as "the provider" of a crew.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from crewdoctor.endpoint import chat, converse, embeddings, generate_content, messages, responses
from crewdoctor.endpoint.faults import Faults
from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.requests_seen import RequestsSeen

_PREFIXES = ("/v1", "/openai/v1", "/v1/api/v2/cortex/v1", "")
"""Where OpenAI's and Anthropic's paths are: at the root as Azure's chat has them, its Responses API and Snowflake's."""
_OF_GEMINI = ("v1beta", "v1beta1", "v1/models", "v1/publishers", "v1/projects")
"""Where Gemini's paths begin."""
_GRACE = 1
"""Seconds an answer under way may still take when the endpoint closes."""


def app(options: EndpointOptions) -> Starlette:
    """Return the endpoint as an ASGI application; `app.state.seen` holds the requests it got."""
    seen = RequestsSeen()
    paths = (
        ("/chat/completions", chat.completions, "POST"),
        ("/responses", responses.create, "POST"),
        ("/responses/input_tokens", responses.input_tokens, "POST"),
        ("/messages", messages.create, "POST"),
        ("/messages/count_tokens", messages.count_tokens, "POST"),
        ("/embeddings", embeddings.create, "POST"),
        ("/models", _models, "GET"),
        ("/models/{model:path}", _model, "GET"),
    )
    routes = [Route(prefix + path, call, methods=[verb]) for path, call, verb in paths for prefix in _PREFIXES]
    routes += [Route(f"/{version}/{{rest:path}}", generate_content.call, methods=["POST"]) for version in _OF_GEMINI]
    routes += [
        Route("/model/{model:path}/converse", converse.converse, methods=["POST"]),
        Route("/model/{model:path}/converse-stream", converse.converse, methods=["POST"]),
        Route("/model/{model:path}/count-tokens", converse.count_tokens, methods=["POST"]),
    ]
    routes.append(Route("/_crewdoctor/log", _log))
    routes.append(Route("/_crewdoctor/page", _page, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]))
    endpoint = Starlette(routes=routes, middleware=[Middleware(Faults, options=options, seen=seen)])
    endpoint.state.options = options
    endpoint.state.seen = seen
    endpoint.state.remembered = {}
    return endpoint


def run(args: dict[str, Any], ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM, SIGINT or the end of the process; `ready` is called once with the port, listening.

    `args` are the fields of EndpointOptions as JSON. Raises ValueError for a bad one, OSError when the port is taken.
    """
    options = EndpointOptions.read(args)
    _Server(options, ready).run_bound()


@dataclass(frozen=True, slots=True)
class Served:
    """A running endpoint."""

    base_url: str
    seen: RequestsSeen


@contextlib.contextmanager
def serving(options: EndpointOptions | None = None) -> Iterator[Served]:
    """Run an endpoint in a thread of this process."""
    options = options or EndpointOptions()
    up = threading.Event()
    ports: list[int] = []

    def ready(port: int) -> None:
        ports.append(port)
        up.set()

    server = _Server(options, ready)
    thread = threading.Thread(target=server.run_bound, name="crewdoctor-endpoint", daemon=True)
    thread.start()
    try:
        while not up.wait(0.05):
            if not thread.is_alive():
                raise OSError("the embedded endpoint did not start")
        yield Served(f"http://{options.host}:{ports[0]}/v1", server.endpoint.state.seen)
    finally:
        server.should_exit = True
        thread.join(_GRACE + 10)


class _Server(uvicorn.Server):
    """Uvicorn on a socket bound beforehand, without a word in any log."""

    def __init__(self, options: EndpointOptions, ready: Callable[[int], None]) -> None:
        self.endpoint = app(options)
        self.ready = ready
        self.socket = socket.create_server((options.host, options.port), backlog=512)
        # accepted sockets inherit it; asyncio leaves Nagle on for those it did not make: 40 ms on every second answer
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(
            uvicorn.Config(
                self.endpoint,
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="off",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready(self.socket.getsockname()[1])

    def run_bound(self) -> None:
        with self.socket:
            self.run(sockets=[self.socket])


def _listed(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "crewdoctor-simulated"}


async def _models(request: Request) -> Response:
    names = request.app.state.options.models
    return JSONResponse({"object": "list", "data": [_listed(name) for name in names]})


async def _model(request: Request) -> Response:
    return JSONResponse(_listed(request.path_params["model"]))


async def _log(request: Request) -> Response:
    return JSONResponse({"requests": list(request.app.state.seen.entries)})


async def _page(_request: Request) -> Response:
    """Return what an invented `url` argument finds."""
    return HTMLResponse("<html><title>crewdoctor</title><body><p>A page of the simulated world.</p></body></html>")
