"""The user's live objects by subject, as probes see them."""

from __future__ import annotations

from typing import Any

from crewdoctor.model.probe import CannotProbe
from crewdoctor.worker.construction import Constructions
from crewdoctor.worker.parts import Parts
from crewdoctor.worker.providers import provider_of


class LoadedCrew:
    """Implements `model.probe.LoadedCrew`."""

    def __init__(self, parts: Parts, inputs: dict[str, Any], constructions: Constructions | None = None) -> None:
        self.parts = parts
        self.constructions = Constructions() if constructions is None else constructions
        self.crew = parts.crew
        self.inputs = inputs

    def agent(self, subject: str) -> Any:
        """Return the live agent. Raises CannotProbe for an unknown subject."""
        return _one(self.parts.agents, subject, "agent")

    def task(self, subject: str) -> Any:
        """Return the live task. Raises CannotProbe for an unknown subject."""
        return _one(self.parts.tasks, subject, "task")

    def tool(self, subject: str) -> Any:
        """Return the live tool. Raises CannotProbe for an unknown subject."""
        return _one(self.parts.tools, subject, "tool")

    def llm(self, subject: str) -> Any:
        """Return the live LLM: whatever its holder holds now. Raises CannotProbe for an unknown subject."""
        return _one(self.parts.slots, subject, "model").live

    def raw_call_arguments(self, subject: str) -> dict[str, Any]:
        """Arguments for the provider's own SDK: `client` and `create`. Raises CannotProbe without key."""
        live = self.llm(subject)
        provider = provider_of(live)
        if provider is None:
            raise CannotProbe(f"{subject}: a {type(live).__name__} is not a model crewdoctor knows how to call raw")
        try:
            held: dict[str, Any] = provider.raw_call_arguments(live)
        except ValueError as error:
            raise CannotProbe(f"{subject}: {error}") from None
        return held

    def rebuilt(self, subject: str, seconds: float) -> tuple[Any, dict[str, float]]:
        """The model built again, its timeouts at most `seconds`; and what they say as written. Raises CannotProbe."""
        from crewdoctor.worker.rebuilding import rebuilt, stand_in_keys

        live = self.llm(subject)
        if provider_of(live) is None:
            raise CannotProbe(f"a {type(live).__name__} is not a model crewdoctor knows how to build again")
        stand_in_keys()
        made = rebuilt(live, self.constructions, seconds)
        return made.model, made.written

    def widen_pools(self, connections: int) -> int:
        """Allow the models' clients so many connections; how many pools could be widened."""
        from crewdoctor.worker.wider import widened

        return sum(widened(slot.live, connections) for slot in self.parts.slots.values())

    def use_embedded(self, base_url: str) -> list[str]:
        """Put the embedded endpoint under every model of the crew; subjects of what was replaced."""
        from crewdoctor.worker.embedded import put_under

        templates = {f"agent:{str(agent.role).strip()}": subject for subject, agent in self.parts.agents.items()}
        replaced = put_under(self, base_url)
        return [_renamed(each, templates) for each in replaced]


def _renamed(subject: str, templates: dict[str, str]) -> str:
    """A subject by the role as written (`agent:{topic} expert/llm`), under the name the inventory uses."""
    owner, slash, rest = subject.rpartition("/")
    return f"{templates.get(owner, owner)}{slash}{rest}"


def _one(held: dict[str, Any], subject: str, kind: str) -> Any:
    if subject not in held:
        raise CannotProbe(f"the loaded crew has no {kind} {subject}")
    return held[subject]
