"""What a crew run by crewdoctor does without: people to ask, and whatever would be done with an invented result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def unattended(crew: Any) -> list[str]:
    """Nobody is there to answer: tasks that would ask a person are not asked for it."""
    asking = [task for task in getattr(crew, "tasks", None) or () if getattr(task, "human_input", False)]
    for task in asking:
        task.human_input = False
    return [f"human input of {len(asking)} tasks"] if asking else []


def without_consequences(crew: Any) -> list[str]:
    """What would be done with an invented result: files written, callbacks called."""
    left_out: list[str] = []
    owners = [crew, *(getattr(crew, "tasks", None) or ()), *(getattr(crew, "agents", None) or ())]
    for name in ("output_file", "output_log_file", "callback", "task_callback", "step_callback"):
        held = [owner for owner in owners if getattr(owner, name, None)]
        for owner in held:
            setattr(owner, name, None)
        left_out += [name] if held else []
    if getattr(crew, "after_kickoff_callbacks", None):
        crew.after_kickoff_callbacks = []
        left_out.append("after_kickoff_callbacks")
    if getattr(crew, "_task_output_handler", None) is not None:  # what `crewai replay` would run again
        crew._task_output_handler = _Nowhere()  # noqa: SLF001 - crewai offers no other way
        left_out.append("task outputs kept for replay")
    return left_out


class _Nowhere:
    """Takes whatever is stored, and holds nothing."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_args, **_kwargs: None
