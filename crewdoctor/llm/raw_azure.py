"""The crew's model through the raw Azure SDK. Sources: azure-ai-inference 1.0.0b9 `_patch.py`, azure-core 1.41."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from crewdoctor.llm.answer import Answer, NoCompletionError, listen, telling
from crewdoctor.llm.raw import RawModel
from crewdoctor.llm.raw_gemini import Patience
from crewdoctor.model.setting import UNLIMITED, Seconds, Timeout

_READ, _CONNECT, _RETRIES = 300.0, 300.0, 3
"""azure-core's own: `ConnectionConfiguration`, `RetryPolicy` (the smaller of total and status)."""
_API_VERSION = "2024-05-01-preview"


class AzureModel(RawModel):
    """One model that speaks Azure's chat."""

    sdk_name = "azure.ai.inference"
    lazy_modules = ("azure.ai.inference.models",)
    limit_attribute = "max_tokens"

    @property
    def timeout(self) -> Timeout:
        """The client's own timeout of one read."""
        held = self.arguments.get("read_timeout", _READ)
        return UNLIMITED if held is None else Seconds(float(held))

    def patient(self, seconds: float) -> Patience:
        """`seconds` for an answer, the client's own for a connection."""
        return Patience(seconds, float(self.arguments.get("connection_timeout") or _CONNECT))

    @property
    def max_retries(self) -> int:
        """Attempts beside the first, on a status."""
        return min(int(self.arguments.get("retry_total", 10)), int(self.arguments.get("retry_status", _RETRIES)))

    def _names_of_limit(self, create: Mapping[str, Any]) -> list[str]:
        return [name for name in ("max_completion_tokens",) if name in create] or ["max_tokens"]

    def client(self, **instead: Any) -> Any:
        """Return a new SDK client with the crew's arguments; `timeout` and `max_retries` may be ours."""
        from azure.ai.inference import ChatCompletionsClient
        from azure.core.pipeline.transport import RequestsTransport

        model = self

        class Counting(RequestsTransport):  # type: ignore[misc]  # azure is the user's, its types are not ours
            """Attempts on the wire: a policy of the client's would count calls."""

            def send(self, request: Any, **more: Any) -> Any:
                model.requests += 1
                return super().send(request, **more)

        ours: dict[str, Any] = {}
        if "timeout" in instead:
            ours |= {"read_timeout": instead["timeout"].read, "connection_timeout": instead["timeout"].connect}
        if "max_retries" in instead:
            ours |= {"retry_total": instead["max_retries"]}
        arguments = {**self.arguments, **ours}
        transport = Counting(
            connection_timeout=arguments.get("connection_timeout", _CONNECT),
            read_timeout=arguments.get("read_timeout", _READ),
            use_env_settings=not self.direct,
        )
        client = ChatCompletionsClient(**arguments, transport=transport)
        self._opened.append(client)
        return client

    def address(self, interface: Any) -> str:
        """The endpoint of the client."""
        return str(interface._config.endpoint)  # noqa: SLF001 - the SDK hides it

    def request(self, messages: list[dict[str, str]]) -> tuple[str, dict[str, Any], dict[str, str]] | None:
        """Path, body and headers of a call with a key; without one a token of Azure's would be needed."""
        key = getattr(self.arguments.get("credential"), "key", None)
        if key is None:
            return None
        path = f"/chat/completions?api-version={self.arguments.get('api_version') or _API_VERSION}"
        return path, {"model": self.model, "messages": messages}, {"api-key": str(key)}

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

        def noted(response: Any) -> None:
            answer.status = response.http_response.status_code
            answer.headers = telling(response.http_response.headers)

        given = {**self.parameters, **self.limited(limit), "messages": messages, "raw_response_hook": noted}
        try:
            answered = interface.complete(**given, stream=stream)
            if stream and not listen(answered, answer, began, until, self.piece):
                raise NoCompletionError(f"{answer.status}, and no event of a stream in it")  # noqa: TRY301
            if not stream:
                self._whole(answered, answer)
        except ValueError as error:
            raise NoCompletionError(f"{answer.status}: {' '.join(str(error).split())}") from error
        except Exception as error:
            answer.status = getattr(error, "status_code", None) or answer.status
            answer.headers = telling(getattr(getattr(error, "response", None), "headers", None))
            raise
        answer.total = time.monotonic() - began

    @staticmethod
    def _whole(answered: Any, answer: Answer) -> None:
        if not getattr(answered, "choices", None):
            raise NoCompletionError(f"{answer.status} without a choice")
        answer.tokens = getattr(answered.usage, "completion_tokens", None) or 0
