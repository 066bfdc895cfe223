"""The crew's model through the raw OpenAI SDK, with the crew's own parameters and none of crewai's code in the way.

Made from the live LLM object inside the worker, so that no key crosses into a step or a recording.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from crewdoctor.model.probe import CannotProbe, LoadedCrew
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Seconds, Timeout

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


class NoCompletionError(Exception):
    """The server answered with success, and with something that is no completion: a login page, an empty body."""


@dataclass(slots=True)
class Answer:
    """What one call was seen to do. Seconds from its start."""

    first_token: float | None = None
    total: float = 0.0
    gaps_max: float = 0.0
    tokens: int = 0
    """Chunks with content for a streamed answer, else what the usage says."""
    status: int | None = None
    cut: bool = False
    """It was still being streamed when we stopped listening."""
    headers: dict[str, str] = field(default_factory=dict)


class RawModel:
    """One model of the crew. Raises CannotProbe where it is not OpenAI's or compatible with it, or has no key."""

    def __init__(self, crew: LoadedCrew, subject: str, *, direct: bool = False) -> None:
        live = crew.llm(subject)
        self.direct = direct
        """Past the user's proxies: the embedded endpoint is on this machine."""
        try:
            held = crew.raw_call_arguments(subject)
        except ValueError as error:
            raise CannotProbe(f"its client cannot be built: {error}") from None
        self.arguments: dict[str, Any] = dict(held["client"])
        create: dict[str, Any] = {**held["create"], **(getattr(live, "additional_params", None) or {})}
        self.parameters = {name: value for name, value in create.items() if name not in _OURS}
        self.model = str(self.parameters["model"])
        self.responses = getattr(live, "api", "") == "responses"
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
        import openai

        held = self.arguments.get("timeout", openai.DEFAULT_TIMEOUT)
        held = getattr(held, "read", held)
        if held is None:
            return UNLIMITED
        return Seconds(float(held)) if isinstance(held, (int, float)) else UNKNOWN

    def patient(self, seconds: float) -> Any:
        """As an SDK timeout: `seconds` for every wait for an answer, the user's own for a connection.

        An address that swallows packets is passed over when the user's client would pass it over.
        """
        import openai

        held = self.arguments.get("timeout", openai.DEFAULT_TIMEOUT)
        connect = getattr(held, "connect", held)
        return openai.Timeout(seconds, connect=connect if isinstance(connect, (int, float)) else seconds)

    @property
    def max_retries(self) -> int:
        """The user's own retries of the SDK."""
        import openai

        return int(self.arguments.get("max_retries", openai.DEFAULT_MAX_RETRIES))

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
        import openai
        from openai.types import chat  # noqa: F401 - imported lazily by the first call otherwise

        with suppress(ImportError):  # before openai 1.66
            from openai.types import responses  # noqa: F401 - likewise

        def count(_request: Any) -> None:
            self.requests += 1

        arguments = {**self.arguments, **instead}
        http = openai.DefaultHttpxClient(event_hooks={"request": [count]}, trust_env=not self.direct)
        client = openai.OpenAI(**{**arguments, "http_client": http})
        self._opened.append(client)
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
        import openai

        try:
            self._ask(interface, messages, answer, stream=stream, limit=limit, until=until)
        except openai.BadRequestError as error:
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
        limits = {name: limit for name in self.limit_names[:1] if limit is not None}
        arguments = {**self.parameters, **limits}
        said = {"input" if self.responses else "messages": messages}
        try:
            raw = interface.with_raw_response.create(**arguments, **said, **({"stream": True} if stream else {}))
        except Exception as error:
            answer.status = getattr(error, "status_code", None)
            answer.headers = _telling(getattr(getattr(error, "response", None), "headers", None))
            raise
        answer.status = raw.status_code
        answer.headers = _telling(raw.headers)
        parsed = self._parsed(raw, stream=stream)
        if stream:
            piece = _piece_of_response if self.responses else _piece_of_chat
            if not _listen(parsed, answer, began, until, piece):
                kind = raw.headers.get("content-type", "no content type")
                raise NoCompletionError(f"{raw.status_code} with {kind}, and no event of a stream in it")
        else:
            usage = getattr(parsed, "usage", None)
            answer.tokens = getattr(usage, "completion_tokens", None) or getattr(usage, "output_tokens", None) or 0
        answer.total = time.monotonic() - began

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
        if not getattr(parsed, "output" if self.responses else "choices", None):
            told = getattr(parsed, "error", None)
            raise NoCompletionError(f"{said}{f': {told}' if told else ''}")
        return parsed


def _listen(
    chunks: Iterable[Any], answer: Answer, began: float, until: float, piece: Callable[[Any], str | None]
) -> int:
    """Note when pieces come; the number of events, with or without a piece."""
    last, events = began, 0
    for chunk in chunks:
        events += 1
        if not piece(chunk):
            continue
        now = time.monotonic()
        if answer.first_token is None:
            answer.first_token = now - began
        else:
            answer.gaps_max = max(answer.gaps_max, now - last)
        last = now
        answer.tokens += 1
        if now > until:
            answer.cut = True
            break
    return events


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


def _telling(headers: Any) -> dict[str, str]:
    """Return the headers that speak of limits and time."""
    return {
        name.lower(): value
        for name, value in (headers.items() if headers is not None else ())
        if name.lower().startswith(("x-ratelimit-", "retry-after"))
    }
