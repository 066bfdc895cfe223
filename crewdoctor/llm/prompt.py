"""A prompt as long as the crew's own: a short ping misleads (0.3 s for a ping, 3 s with a real context)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crewdoctor.model.inventory import Inventory, LlmEntry

SHORTEST, LONGEST = 1_500, 12_000
"""Characters of a realistic prompt."""
CHARS_PER_TOKEN = 4
_FILLER = (
    "Consider the context above carefully: sources may disagree, figures may be out of date, and the reader needs "
    "a short and honest summary with the reasons behind it. "
)


def length(inventory: Inventory, llm: LlmEntry) -> int:
    """Return how many characters the longest prompt of this model's agents has, within bounds."""
    longest = 0
    for agent in inventory.agents:
        if agent.llm in {llm.subject, *llm.users}:
            tasks = [task.prompt_chars for task in inventory.tasks if task.agent == agent.subject]
            longest = max(longest, agent.prompt_chars + max(tasks, default=0))
    return min(max(longest, SHORTEST), LONGEST)


def speakers(inventory: Inventory, llm: LlmEntry) -> list[str]:
    """Return the subjects of the agents that use this model."""
    return [agent.subject for agent in inventory.agents if agent.llm in {llm.subject, *llm.users}]


def messages(agent: Any, tasks: Sequence[Any], inputs: Mapping[str, Any], chars: int) -> list[dict[str, str]]:
    """Return a system and a user message of about `chars` characters, as crewai 1.15 words them (`en.json`)."""
    role, goal, backstory = (str(getattr(agent, name, "")) for name in ("role", "goal", "backstory"))
    system = f"You are {role or 'an analyst'}. {backstory}\nYour personal goal is: {goal}"
    task = next((each for each in tasks if getattr(each, "agent", None) is agent), None)
    asked = str(getattr(task, "description", "") or "Summarise what a good report contains.")
    expected = str(getattr(task, "expected_output", "") or "A short text.")
    user = f"\nCurrent Task: {asked}\n\nThis is the expected criteria for your final answer: {expected}\n"
    system, user = _filled(system, inputs), _filled(user, inputs)
    missing = chars - len(system) - len(user)
    filler = (_FILLER * (missing // len(_FILLER) + 1))[: max(0, missing)]
    return [{"role": "system", "content": system}, {"role": "user", "content": f"{filler}{user}"}]


def _filled(text: str, inputs: Mapping[str, Any]) -> str:
    for name, value in inputs.items():
        text = text.replace("{" + str(name) + "}", str(value))
    return text
