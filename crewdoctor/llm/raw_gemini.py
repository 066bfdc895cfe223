"""The crew's model through the raw Google SDK. Source: google-genai 1.65.0, `_api_client.py`, `models.py`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crewdoctor.llm.answer import Answer, NoCompletionError, listen, telling
from crewdoctor.llm.raw import RawModel
from crewdoctor.model.setting import UNLIMITED, Seconds, Timeout

_OK = 200


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call of ours waits; the SDK takes one number for every phase."""

    read: float
    connect: float


class GeminiModel(RawModel):
    """One model that speaks Gemini's generateContent."""

    sdk_name = "google.genai"
    lazy_modules = ("google.genai.types",)
    limit_attribute = "max_output_tokens"

    @property
    def options(self) -> Mapping[str, Any]:
        """The HTTP options of the user's client, as keywords."""
        held: Mapping[str, Any] = self.arguments["http_options"]
        return held

    @property
    def timeout(self) -> Timeout:
        """The user's own timeout: milliseconds in the SDK, and none unless it is written."""
        held = self.options.get("timeout")
        return Seconds(held / 1000) if held else UNLIMITED

    def patient(self, seconds: float) -> Patience:
        """One number for all phases."""
        return Patience(seconds, seconds)

    @property
    def max_retries(self) -> int:
        """Attempts beside the first; the SDK makes none unless it is told."""
        held = self.options.get("retry_options")
        return max(0, int(getattr(held, "attempts", None) or 5) - 1) if held is not None else 0

    def client(self, **instead: Any) -> Any:
        """Return a new SDK client with the crew's arguments; `timeout` and `max_retries` may be ours."""
        from google import genai
        from google.genai import types

        def count(_request: Any) -> None:
            self.requests += 1

        options = {**self.options, "client_args": {**(self.options.get("client_args") or {})}}
        options["client_args"] |= {"event_hooks": {"request": [count]}}
        if self.direct:
            options["client_args"]["trust_env"] = False
        if "timeout" in instead:
            options["timeout"] = int(instead["timeout"].read * 1000)
        if "max_retries" in instead:
            options["retry_options"] = None
        client = genai.Client(**{**self.arguments, "http_options": types.HttpOptions(**options)})
        self._opened.append(client)
        return client

    def address(self, interface: Any) -> str:
        """The base URL of the client."""
        return str(interface._api_client._http_options.base_url)  # noqa: SLF001 - the SDK hides it

    def request(self, messages: list[dict[str, str]]) -> tuple[str, dict[str, Any], dict[str, str]] | None:
        """Path, body and headers of a call with a key; Vertex AI wants a token only its SDK can fetch."""
        if self.arguments.get("vertexai"):
            return None
        spoken = self.spoken(messages)
        body = {"contents": spoken["contents"]}
        if spoken["system"]:
            body["systemInstruction"] = {"parts": [{"text": spoken["system"]}]}
        version = self.options.get("api_version") or "v1beta"
        name = self.model if "/" in self.model else f"models/{self.model}"
        return f"/{version}/{name}:generateContent", body, {"x-goog-api-key": str(self.arguments.get("api_key"))}

    def spoken(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        """`contents`, and what a system message says apart from them."""
        roles = {"assistant": "model"}
        contents = [
            {"role": roles.get(each["role"], "user"), "parts": [{"text": each["content"]}]}
            for each in messages
            if each["role"] != "system"
        ]
        system = "\n".join(each["content"] for each in messages if each["role"] == "system")
        return {"contents": contents, "system": system}

    def piece(self, chunk: Any) -> str | None:
        """What the parts of a chunk say, thoughts included."""
        for candidate in getattr(chunk, "candidates", None) or ():
            for part in getattr(candidate.content, "parts", None) or ():
                if part.text:
                    return str(part.text)
        return None

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
        """Call once and fill `answer` as it comes. Raises what the SDK raises."""
        began = time.monotonic()
        spoken = self.spoken(messages)
        config = {name: value for name, value in self.parameters.items() if name != "model"}
        config |= {"system_instruction": spoken["system"] or None}
        if limit is not None or self.max_tokens is not None:
            config["max_output_tokens"] = limit if limit is not None else self.max_tokens
        given = {"model": self.model, "contents": spoken["contents"], "config": config}
        try:
            if stream:
                answer.status = _OK
                events = listen(interface.models.generate_content_stream(**given), answer, began, until, self.piece)
                self._some(events)
            else:
                self._whole(interface.models.generate_content(**given), answer)
        except ValueError as error:
            answer.status = _OK
            raise NoCompletionError(f"{_OK} with no JSON: {' '.join(str(error).split())}") from error
        except Exception as error:
            answer.status = getattr(error, "code", None) if isinstance(getattr(error, "code", None), int) else None
            answer.headers = telling(getattr(getattr(error, "response", None), "headers", None))
            raise
        answer.total = time.monotonic() - began

    @staticmethod
    def _some(events: int) -> None:
        if not events:
            raise NoCompletionError(f"{_OK}, and no event of a stream in it")

    @staticmethod
    def _whole(response: Any, answer: Answer) -> None:
        answer.status = _OK
        answer.headers = telling(getattr(getattr(response, "sdk_http_response", None), "headers", None))
        if not response.candidates:
            raise NoCompletionError(f"{_OK} without a candidate: {response.prompt_feedback}")
        answer.tokens = getattr(response.usage_metadata, "candidates_token_count", None) or 0
