"""What a crew run by crewdoctor does without: people to ask, and whatever would be done with an invented result."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
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


def forgive_guardrails(crew: Any, blocked: Callable[[], Sequence[str]]) -> None:
    """A guardrail that was kept from writing has no verdict: the run goes on as if it had agreed."""
    for task in getattr(crew, "tasks", None) or ():
        single, several = getattr(task, "_guardrail", None), getattr(task, "_guardrails", None)
        if callable(single):
            task._guardrail = _forgiven(single, blocked)  # noqa: SLF001 - what crewai calls; the field is a copy
        if isinstance(several, list):
            task._guardrails = [_forgiven(each, blocked) for each in several]  # noqa: SLF001


def _forgiven(guardrail: Callable[..., Any], blocked: Callable[[], Sequence[str]]) -> Callable[..., Any]:
    @functools.wraps(guardrail)
    def forgiven(output: Any) -> Any:
        before = len(blocked())
        try:
            return guardrail(output)
        except Exception:
            if len(blocked()) == before:
                raise
            return True, getattr(output, "raw", output)

    return forgiven


class _Nowhere:
    """Takes whatever is stored, and holds nothing."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_args, **_kwargs: None
