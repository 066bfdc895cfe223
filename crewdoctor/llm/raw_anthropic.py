"""The crew's model through the raw Anthropic SDK. Source: anthropic 0.73.0, `resources/messages/messages.py`."""

from __future__ import annotations

from typing import Any

from crewdoctor.llm.raw import RawModel

_NEEDED = 4096
"""Tokens of an answer nobody limited: the API wants a limit."""


class AnthropicModel(RawModel):
    """One model that speaks Anthropic's messages."""

    sdk_name = "anthropic"
    client_name = "Anthropic"
    lazy_modules = ("anthropic.types",)
    holder = "content"

    @property
    def limit_attribute(self) -> str:
        """The attribute of crewai's own object that limits an answer."""
        return "max_tokens"

    def interface(self, client: Any) -> Any:
        """What makes the calls."""
        return client.messages

    def limited(self, limit: int | None) -> dict[str, Any]:
        """At most so many tokens, beside those a thinking model must be given to think."""
        thinking = self.parameters.get("thinking")
        budget = int(thinking.get("budget_tokens") or 0) if isinstance(thinking, dict) else 0
        wanted = limit if limit is not None else self.max_tokens or _NEEDED
        return {"max_tokens": wanted + budget if limit is not None else max(wanted, budget + 1)}

    def spoken(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        """What a system message says has a place of its own."""
        system = "\n".join(each["content"] for each in messages if each["role"] == "system")
        said = [each for each in messages if each["role"] != "system"]
        return {"messages": said, **({"system": system} if system else {})}

    def piece(self, chunk: Any) -> str | None:
        """A delta of text, of thought or of a tool's arguments."""
        delta = getattr(chunk, "delta", None)
        return next(
            (held for name in ("text", "thinking", "partial_json") if (held := getattr(delta, name, None))), None
        )

    def request(self, messages: list[dict[str, str]]) -> tuple[str, dict[str, Any], dict[str, str]]:
        """Path, body and headers of a call without the SDK."""
        key = str(self.arguments.get("api_key"))
        body = {"model": self.model, **self.limited(None), **self.spoken(messages)}
        return "/v1/messages", body, {"x-api-key": key, "anthropic-version": "2023-06-01"}
