"""Puts the embedded endpoint under every model of a live crew.

An LLM is rebuilt through its own class from the arguments it was given, never copied: `model_copy`, `copy.copy` and
the SDK's `with_options` share the live HTTP client and reach the real provider. Memory and knowledge are switched off:
their vectors come from another model, and writing simulated answers into a user's store would change it.
"""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Iterator
from typing import Any

from crewdoctor.net.clients.httpx_family import direct_async_client, direct_client
from crewdoctor.worker import providers

KEY = "crewdoctor-simulated"
MODEL = "gpt-4.1-mini"
"""Plays the part of every model whose own SDK cannot be led to the endpoint."""

_CREW_MODELS = ("manager_llm", "planning_llm", "function_calling_llm", "chat_llm")
_AGENT_MODELS = ("llm", "function_calling_llm")
_ENVIRONMENT = ("OPENAI_BASE_URL", "OPENAI_API_BASE")


def put_under(loaded: Any, base_url: str) -> list[str]:
    """Replace every model of `loaded.crew`; subjects of what was replaced or switched off, in order.

    Models named later, while the crew runs, find the endpoint through OPENAI_BASE_URL and its like.
    """
    for name in _ENVIRONMENT:
        os.environ[name] = base_url
    os.environ["OPENAI_API_KEY"] = KEY
    os.environ.update(providers.embedded_environment(base_url))
    crew = loaded.crew
    swap = _Swap(base_url)
    if getattr(crew, "planning", False) and getattr(crew, "planning_llm", None) is None:
        crew.planning_llm = f"openai/{MODEL}"
    for name in _CREW_MODELS:
        swap.attribute(crew, name, f"crew/{name}")
    agents = list(_agents(crew))
    for agent in agents:
        subject = f"agent:{str(agent.role).strip()}"
        for name in _AGENT_MODELS:
            swap.attribute(agent, name, f"{subject}/{name}")
        swap.attribute(getattr(agent, "planning_config", None), "llm", f"{subject}/planning_llm")
        swap.guardrails(agent, f"{subject}/guardrail_llm")
        if getattr(agent, "_declared_llm", None) is not None:
            agent._declared_llm = agent.llm
    for index, task in enumerate(getattr(crew, "tasks", None) or (), 1):
        subject = f"task:{getattr(task, 'name', None) or index}"
        swap.guardrails(task, f"{subject}/guardrail_llm")
    swap.replaced.extend(_without_stores(crew, agents))
    return list(dict.fromkeys(swap.replaced))


def _agents(crew: Any) -> Iterator[Any]:
    seen: set[int] = set()
    of_tasks = [getattr(task, "agent", None) for task in getattr(crew, "tasks", None) or ()]
    for agent in (*(getattr(crew, "agents", None) or ()), *of_tasks, getattr(crew, "manager_agent", None)):
        if agent is not None and id(agent) not in seen:
            seen.add(id(agent))
            yield agent


class _Swap:
    """One endpoint, and which live object became which."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.made: dict[int, tuple[Any, Any]] = {}
        self.replaced: list[str] = []

    def attribute(self, owner: Any, name: str, subject: str) -> None:
        """Replace `owner.name` where it holds a model."""
        live = vars(owner).get(name) if hasattr(owner, "__dict__") else None
        if live is None or live is False:
            return
        setattr(owner, name, self.instead_of(live))
        self.replaced.append(subject)

    def guardrails(self, owner: Any, subject: str) -> None:
        """Replace the models of guardrails written as text."""
        held: list[Any] = []
        for name in ("guardrail", "_guardrail", "guardrails", "_guardrails"):
            value = getattr(owner, name, None)
            held.extend(value if isinstance(value, (list, tuple)) else [value])
        for guardrail in held:
            if not isinstance(guardrail, str) and hasattr(guardrail, "llm"):
                self.attribute(guardrail, "llm", subject)

    def instead_of(self, live: Any) -> Any:
        """Return the simulated model for a live one; those who shared one go on sharing one."""
        if id(live) not in self.made:
            self.made[id(live)] = (live, self._rebuilt(live))
        return self.made[id(live)][1]

    def _rebuilt(self, live: Any) -> Any:
        from crewai.llms.providers.openai.completion import OpenAICompletion

        if isinstance(live, str):
            live = _constructed(live)
        if isinstance(live, OpenAICompletion):
            # a subclass with a constructor of its own is played by our model instead
            with contextlib.suppress(Exception):
                return self._client_of_ours(type(live)(**self._arguments(live)))
        rebuild = getattr(providers.provider_of(live), "rebuilt", None)
        if rebuild is not None:
            with contextlib.suppress(Exception):
                return rebuild(live, self._arguments(live), self.base_url, KEY)
        return self._client_of_ours(OpenAICompletion(model=MODEL, base_url=self.base_url, api_key=KEY))

    def _arguments(self, live: Any) -> dict[str, Any]:
        """Return what the model was constructed with, the provider's address and key replaced."""
        given = {**_extra(live), **{name: getattr(live, name) for name in _given(live) if hasattr(live, name)}}
        for name in ("additional_params", "client_params"):
            if isinstance(given.get(name), dict):
                given[name] = {
                    key: value
                    for key, value in given[name].items()
                    if key not in {"http_client", "base_url", "api_key", "api_base"}
                }
        for name in ("api_base", "http_client"):
            given.pop(name, None)
        return {**given, "base_url": self.base_url, "api_key": KEY}

    @staticmethod
    def _client_of_ours(model: Any) -> Any:
        """Keep the endpoint out of the user's proxies: it is on this machine whatever HTTP_PROXY says."""
        if getattr(model, "interceptor", None) is None:
            import openai

            arguments = model._get_client_params()
            direct, direct_async = direct_client("openai"), direct_async_client("openai")
            hidden = "_" if hasattr(model, "_client") else ""  # older crewai holds its clients openly
            setattr(model, f"{hidden}client", openai.OpenAI(**arguments, http_client=direct))
            setattr(model, f"{hidden}async_client", openai.AsyncOpenAI(**arguments, http_client=direct_async))
        return model


def _extra(live: Any) -> dict[str, Any]:
    """Arguments its class has no name for, as an older crewai keeps them: newer ones have a field for the lot."""
    return {} if hasattr(live, "model_fields_set") else dict(getattr(live, "additional_params", None) or {})


def _given(live: Any) -> list[str]:
    """Names of the arguments somebody gave `live`; of a plain object (older crewai) those that differ from defaults."""
    held = getattr(live, "model_fields_set", None)
    if held is not None:
        return list(held)
    parameters = inspect.signature(type(live).__init__).parameters.values()
    named = [each for each in parameters if each.kind is not each.VAR_KEYWORD and each.name != "self"]
    return [each.name for each in named if getattr(live, each.name, each.default) != each.default]


def _constructed(name: str) -> Any:
    """Resolve a model named by text as crewai would; None where it cannot be constructed."""
    from crewai.utilities.llm_utils import create_llm

    try:
        return create_llm(name)
    except Exception:
        return None


def _without_stores(crew: Any, agents: list[Any]) -> list[str]:
    """Switch memory and knowledge off; subjects of those that were on."""
    off: list[str] = []
    owners = [("crew", crew), *((f"agent:{str(agent.role).strip()}", agent) for agent in agents)]
    for subject, owner in owners:
        for kind, names in (("memory", ("memory", "_memory")), ("knowledge", ("knowledge", "knowledge_sources"))):
            for name in names:
                if getattr(owner, name, None):
                    setattr(owner, name, False if name == "memory" and owner is crew else None)
                    off.append(f"{subject}/{kind}")
    return off
