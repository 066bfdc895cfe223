"""The crew's model through boto3's Bedrock client. Sources: botocore 1.43 `config.py`, `retries/standard.py`."""

from __future__ import annotations

import time
from typing import Any

from crewdoctor.llm.answer import Answer, NoCompletionError, listen, telling
from crewdoctor.llm.raw import RawModel
from crewdoctor.llm.raw_gemini import Patience
from crewdoctor.model.setting import Seconds, Timeout


class BedrockModel(RawModel):
    """One model that speaks Bedrock's converse."""

    sdk_name = "boto3"
    lazy_modules = ()
    limit_attribute = "max_tokens"

    @property
    def timeout(self) -> Timeout:
        """The client's own timeout of one read."""
        return Seconds(float(self.arguments["config"]["read_timeout"]))

    def patient(self, seconds: float) -> Patience:
        """`seconds` for an answer, the client's own for a connection."""
        return Patience(seconds, float(self.arguments["config"]["connect_timeout"]))

    @property
    def max_retries(self) -> int:
        """Attempts beside the first, on a timeout as well as on a status."""
        return max(0, int(self.arguments["config"]["retries"].get("total_max_attempts", 1)) - 1)

    def client(self, **instead: Any) -> Any:
        """Return a new SDK client with the crew's arguments; `timeout` and `max_retries` may be ours."""
        import boto3
        from botocore.config import Config

        settings = dict(self.arguments["config"])
        if "timeout" in instead:
            settings |= {"read_timeout": instead["timeout"].read, "connect_timeout": instead["timeout"].connect}
        if "max_retries" in instead:
            settings["retries"] = {"total_max_attempts": instead["max_retries"] + 1, "mode": "standard"}
        if self.direct:
            settings["proxies"] = {}
        session = boto3.Session(**self.arguments["session"])
        where = self.arguments["endpoint_url"]
        client = session.client("bedrock-runtime", config=Config(**settings), endpoint_url=where)

        def count(**_request: Any) -> None:
            self.requests += 1

        client.meta.events.register("before-send.bedrock-runtime", count)
        self._opened.append(client)
        return client

    def address(self, interface: Any) -> str:
        """The endpoint of the client."""
        return str(interface.meta.endpoint_url)

    def request(self, _messages: list[dict[str, str]]) -> tuple[str, dict[str, Any], dict[str, str]] | None:
        """None: a request has to be signed, which is the SDK's work."""
        return None

    def piece(self, chunk: Any) -> str | None:
        """A delta of text, of thought or of a tool's input."""
        delta = chunk.get("contentBlockDelta", {}).get("delta", {})
        thought, used = delta.get("reasoningContent") or {}, delta.get("toolUse") or {}
        said: str | None = delta.get("text") or thought.get("text") or used.get("input")
        return said

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
        said = [{"role": each["role"], "content": [{"text": each["content"]}]} for each in messages]
        given = {
            **{name: value for name, value in self.parameters.items() if name != "model"},
            "modelId": self.model,
            "messages": [each for each in said if each["role"] != "system"],
            "system": [block for each in said if each["role"] == "system" for block in each["content"]],
        }
        most = limit if limit is not None else self.max_tokens
        if most is not None:
            given["inferenceConfig"] = {**given.get("inferenceConfig", {}), "maxTokens": most}
        try:
            answered = (interface.converse_stream if stream else interface.converse)(**given)
            told = answered["ResponseMetadata"]
            answer.status, answer.headers = told["HTTPStatusCode"], telling(told["HTTPHeaders"])
            if stream and not listen(answered["stream"], answer, began, until, self.piece):
                raise NoCompletionError(f"{answer.status}, and no event of a stream in it")  # noqa: TRY301
            if not stream:
                self._whole(answered, answer)
        except Exception as error:
            told = getattr(error, "response", None)
            told = told.get("ResponseMetadata", {}) if isinstance(told, dict) else {}
            answer.status = told.get("HTTPStatusCode") or answer.status
            answer.headers = telling(told.get("HTTPHeaders")) or answer.headers
            raise
        answer.total = time.monotonic() - began

    @staticmethod
    def _whole(answered: Any, answer: Answer) -> None:
        if not answered.get("output", {}).get("message", {}).get("content"):
            raise NoCompletionError(f"{answer.status} without a message")
        answer.tokens = answered.get("usage", {}).get("outputTokens") or 0
