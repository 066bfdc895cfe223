"""The same work, one layer higher each: connection, raw request, SDK, CrewAI's LLM, one agent without tools."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from crewdoctor.llm.answer import Answer
from crewdoctor.llm.sdks import raw_model
from crewdoctor.model.probe import CannotProbe, LoadedCrew

QUESTION = "Return 'ok'"
_SAID = [{"role": "user", "content": QUESTION}]
_OURS = 600.0
_FIRST_ERROR = 400


class Rungs:
    """The rungs of one model, lowest first. Every rung is a call without arguments that raises what fails."""

    def __init__(self, crew: LoadedCrew, subject: str, *, direct: bool) -> None:
        self.live = crew.llm(subject)
        self.raw = raw_model(crew, subject, direct=direct)
        patient = self.raw.patient(_OURS)
        self.connect_within: float = patient.connect or _OURS
        """As the user's client does; a connection nobody answers is no latency of the model."""
        self.sdk = self.raw.client(timeout=patient, max_retries=0)
        self.address = urlsplit(self.raw.address(self.sdk))
        self.host = self.address.hostname or ""
        self.port = self.address.port or (443 if self.address.scheme == "https" else 80)
        self.agent = _agent(self.live)
        self.left_out = "" if direct else self._behind_proxy()
        """Why the rungs below the SDK are left out."""

    def all(self) -> list[tuple[str, Callable[[], Any]]]:
        """(name, call), lowest first."""
        plain = [] if self.left_out else [("connect", self._connect)]
        asked = [] if self.left_out or self.raw.request(_SAID) is None else [("raw request", self._request)]
        return [*plain, *asked, ("sdk", self._sdk), ("crewai llm", self._crewai), ("agent", self._one_agent)]

    def warm(self) -> None:
        """Import what an agent's first execution imports, on a model that answers at once and calls nobody."""
        from crewai.llms.base_llm import BaseLLM

        class Instant(BaseLLM):  # type: ignore[misc]  # crewai is the user's, its types are not ours
            def call(self, *_: Any, **__: Any) -> str:
                return "Thought: I now can give a great answer\nFinal Answer: ok"

        _agent(Instant(model="instant")).kickoff(QUESTION)

    def close(self) -> None:
        """Close the connections of the SDK rung."""
        self.raw.close()

    def _behind_proxy(self) -> str:
        proxied = self.address.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(self.host)
        return "its host is behind a proxy" if proxied else ""

    def _connect(self) -> None:
        with socket.create_connection((self.host, self.port), timeout=self.connect_within) as plain:
            if self.address.scheme == "https":
                self._trust().wrap_socket(plain, server_hostname=self.host).close()

    @staticmethod
    def _trust() -> ssl.SSLContext:
        """The trust store the SDK uses."""
        import importlib

        from crewdoctor.net.clients.httpx_family import library_of_openai

        context: ssl.SSLContext = importlib.import_module(library_of_openai()).create_ssl_context()
        return context

    def _request(self) -> None:
        asked = self.raw.request(_SAID)
        assert asked is not None, "left out of `all`"
        beneath, body, given = asked
        connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(self.host, self.port, timeout=self.connect_within, context=self._trust())
            if self.address.scheme == "https"
            else http.client.HTTPConnection(self.host, self.port, timeout=self.connect_within)
        )
        path = self.address.path.rstrip("/") + beneath
        headers = {"Content-Type": "application/json", **given}
        try:
            connection.connect()
            connection.sock.settimeout(_OURS)
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            response.read()
        finally:
            connection.close()
        if response.status >= _FIRST_ERROR:
            raise ConnectionError(f"status {response.status}")

    def _sdk(self) -> None:
        self.raw.ask(self.sdk, _SAID, Answer(), stream=False, limit=None)

    def _crewai(self) -> None:
        self.live.call([dict(each) for each in _SAID])

    def _one_agent(self) -> None:
        self.agent.kickoff(QUESTION)


def _agent(model: Any) -> Any:
    try:
        from crewai import Agent
    except ImportError as error:
        raise CannotProbe(f"crewai cannot be imported: {error}") from None
    return Agent(role="Assistant", goal="Answer briefly", backstory="You answer in one word.", llm=model, verbose=False)
