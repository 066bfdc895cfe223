"""The crew's model through the raw OpenAI SDK, with the crew's own parameters and none of crewai's code in the way.

Made from the live LLM object inside the worker, so that no key crosses into a step or a recording. Other SDKs are other
classes with the same methods: `crewdoctor/llm/sdks.py` knows which.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from crewdoctor.llm.answer import Answer, NoCompletionError, listen, telling
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Seconds, Timeout
from crewdoctor.net.clients.httpx_family import direct_client

_LIMITS = ("max_completion_tokens", "max_tokens")
_OURS = frozenset(
    {
        *_LIMITS,
        "max_output_tokens",
        "messages",
        "input",
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "response_format",
        "text",
        "previous_response_id",
        "n",
        "callbacks",
        "provider",
        "timeout",
        "api_key",
        "api_base",
        "base_url",
    }
)
"""Parameters a probe sets itself, that would change what is asked, or that crewai keeps from the SDK."""


class RawModel:
    """One model of the crew, OpenAI's or compatible with it."""

    sdk_name = "openai"
    client_name = "OpenAI"
    lazy_modules: tuple[str, ...] = ("openai.types.chat", "openai.types.responses")
    """What the SDK would import in the middle of a first call."""

    def __init__(self, live: Any, held: Mapping[str, Any], *, direct: bool = False) -> None:
        """`held`: what `providers.<name>.raw_call_arguments` gives for the `live` object."""
        self.direct = direct
        """Past the user's proxies: the embedded endpoint is on this machine."""
        self.arguments: dict[str, Any] = dict(held["client"])
        create: dict[str, Any] = {**held["create"], **(getattr(live, "additional_params", None) or {})}
        self.parameters = {name: value for name, value in create.items() if name not in _OURS}
        self.model = str(self.parameters["model"])
        self.responses = "responses" in {getattr(live, "api", ""), held.get("api")}
        self.stream = bool(getattr(live, "stream", False))
        self.max_tokens: int | None = next(
            (create[name] for name in _LIMITS if isinstance(create.get(name), int)), None
        )
        """The crew's own limit of an answer."""
        self.limit_names = self._names_of_limit(create)
        self.requests = 0
        """Sent by clients of this object so far: attempts on the wire."""
        self._opened: list[Any] = []

    @property
    def timeout(self) -> Timeout:
        """The user's own timeout of one read, as the SDK will apply it."""
        held = self.arguments.get("timeout", self.sdk.DEFAULT_TIMEOUT)
        held = getattr(held, "read", held)
        if held is None:
            return UNLIMITED
        return Seconds(float(held)) if isinstance(held, (int, float)) else UNKNOWN

    def patient(self, seconds: float) -> Any:
        """As an SDK timeout: `seconds` for every wait for an answer, the user's own for a connection.

        An address that swallows packets is passed over when the user's client would pass it over.
        """
        held = self.arguments.get("timeout", self.sdk.DEFAULT_TIMEOUT)
        connect = getattr(held, "connect", held)
        return self.sdk.Timeout(seconds, connect=connect if isinstance(connect, (int, float)) else seconds)

    @property
    def max_retries(self) -> int:
        """The user's own retries of the SDK."""
        return int(self.arguments.get("max_retries", self.sdk.DEFAULT_MAX_RETRIES))

    @property
    def sdk(self) -> Any:
        """The SDK's package."""
        return importlib.import_module(self.sdk_name)

    @property
    def limit_attribute(self) -> str:
        """The attribute of crewai's own object that limits an answer."""
        return "max_completion_tokens" if self.responses else self.limit_names[0]

    def _names_of_limit(self, create: Mapping[str, Any]) -> list[str]:
        """Return what to call the limit of an answer, best first: newer models and older servers differ."""
        if self.responses:
            return ["max_output_tokens"]
        written = [name for name in _LIMITS if name in create]
        elsewhere = bool(self.arguments.get("base_url")) and "openai.com" not in str(self.arguments["base_url"])
        return list(dict.fromkeys((*written, *(reversed(_LIMITS) if elsewhere else _LIMITS))))

    def client(self, **instead: Any) -> Any:
        """Return a new SDK client with the crew's arguments, but for those in `instead`; its connections are its own.

        Its modules are imported here, so that no sample pays for them.
        """
        for name in self.lazy_modules:
            with suppress(ImportError):  # openai.types.responses is of 1.66
                importlib.import_module(name)

        def count(_request: Any) -> None:
            self.requests += 1

        arguments = {**self.arguments, **instead}
        hooks = {"request": [count]}
        plain = self.sdk.DefaultHttpxClient
        http = direct_client(self.sdk_name, event_hooks=hooks) if self.direct else plain(event_hooks=hooks)
        client = getattr(self.sdk, self.client_name)(**{**arguments, "http_client": http})
        self._opened.append(client)
        return self.interface(client)

    def interface(self, client: Any) -> Any:
        """What of the SDK's client makes the calls: the object with `create`."""
        return client.responses if self.responses else client.chat.completions

    def close(self) -> None:
        """Close the connections of every client made here."""
        while self._opened:
            self._opened.pop().close()

    def ask(
        self,
        interface: Any,
        messages: list[dict[str, str]],
        answer: Answer,
        *,
        stream: bool,
        limit: int | None,
        until: float = float("inf"),
    ) -> None:
        """Call once and fill `answer` as it comes. `until`: monotonic time when a streamed answer is heard enough.

        Raises what the SDK raises.
        """
        try:
            self._ask(interface, messages, answer, stream=stream, limit=limit, until=until)
        except self.sdk.BadRequestError as error:
            if limit is None or not self.limit_names or not _about_limit(str(error)):
                raise
            del self.limit_names[0]
            self.ask(interface, messages, answer, stream=stream, limit=limit, until=until)

    def _ask(
        self,
        interface: Any,
        messages: list[dict[str, str]],
        answer: Answer,
        *,
        stream: bool,
        limit: int | None,
        until: float,
    ) -> None:
        began = time.monotonic()
        arguments = {**self.parameters, **self.limited(limit), **self.spoken(messages)}
        try:
            raw = interface.with_raw_response.create(**arguments, **({"stream": True} if stream else {}))
        except Exception as error:
            answer.status = getattr(error, "status_code", None)
            answer.headers = telling(getattr(getattr(error, "response", None), "headers", None))
            raise
        answer.status = raw.status_code
        answer.headers = telling(raw.headers)
        parsed = self._parsed(raw, stream=stream)
        if stream:
            if not listen(parsed, answer, began, until, self.piece):
                kind = raw.headers.get("content-type", "no content type")
                raise NoCompletionError(f"{raw.status_code} with {kind}, and no event of a stream in it")
        else:
            usage = getattr(parsed, "usage", None)
            answer.tokens = getattr(usage, "completion_tokens", None) or getattr(usage, "output_tokens", None) or 0
        answer.total = time.monotonic() - began

    def limited(self, limit: int | None) -> dict[str, Any]:
        """The parameter that limits an answer to so many tokens."""
        return {name: limit for name in self.limit_names[:1] if limit is not None}

    def spoken(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        """The messages, as the SDK's call takes them."""
        return {"input" if self.responses else "messages": messages}

    def request(self, messages: list[dict[str, str]]) -> tuple[str, dict[str, Any], dict[str, str]] | None:
        """Path (beneath the base URL), body and headers of a call without the SDK; None where it cannot be signed."""
        own = {str(name): str(value) for name, value in (self.arguments.get("default_headers") or {}).items()}
        path = "/responses" if self.responses else "/chat/completions"
        body = {"model": self.model, **self.spoken(messages)}
        return path, body, {**own, "Authorization": f"Bearer {self.arguments.get('api_key')}"}

    def address(self, interface: Any) -> str:
        """The base URL of what `client` returned."""
        return str(interface._client.base_url)  # noqa: SLF001 - the resource hides its client's address

    def piece(self, chunk: Any) -> str | None:
        """What a chunk of a stream says; nothing where it only says how the stream goes on."""
        return _piece_of_response(chunk) if self.responses else _piece_of_chat(chunk)

    @property
    def holder(self) -> str:
        """The attribute of an answer without which it is no completion."""
        return "output" if self.responses else "choices"

    def _parsed(self, raw: Any, *, stream: bool) -> Any:
        """Return what the SDK makes of the answer. It hands on a page as text, and an error object without choices."""
        kind = str(raw.headers.get("content-type", "") or "no content type").partition(";")[0]
        said = f"{raw.status_code} with {kind}"
        if stream:
            if kind == "text/html":
                raw.http_response.read()  # a page is short; unread, the request would never be seen to end
                raise NoCompletionError(said)
            return raw.parse()
        try:
            parsed = raw.parse()
        except ValueError as error:
            raise NoCompletionError(f"{said}: {' '.join(str(error).split())}") from error
        if not getattr(parsed, self.holder, None):
            told = getattr(parsed, "error", None)
            raise NoCompletionError(f"{said}{f': {told}' if told else ''}")
        return parsed


def _piece_of_chat(chunk: Any) -> str | None:
    delta = chunk.choices[0].delta if getattr(chunk, "choices", None) else None
    return (
        getattr(delta, "content", None)
        or getattr(delta, "reasoning_content", None)
        or getattr(delta, "reasoning", None)
    )


def _piece_of_response(event: Any) -> str | None:
    return getattr(event, "delta", None) if str(getattr(event, "type", "")).endswith(".delta") else None


def _about_limit(text: str) -> bool:
    return any(name in text for name in (*_LIMITS, "max_output_tokens"))
