"""The error behind `'NoneType' object has no attribute …`: older crewai hides why a model could not be made.

crewai 1.0 to 1.9 turns a model's name into an object in `create_llm`, which catches whatever that raises, logs it below
what is shown, and goes on with None. What was asked for is still in the frames of the constructor: it is tried again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from crewdoctor.worker.named_model import DEFAULT_MODEL

_NAMED = ("llm", "function_calling_llm", "manager_llm", "planning_llm")
_VARIABLES = ("MODEL", "MODEL_NAME", "OPENAI_MODEL_NAME")


def swallowed(error: BaseException) -> BaseException | None:
    """Return what making the model raises; None where that is not what `error` is about."""
    if not isinstance(error, AttributeError) or not str(error).startswith("'NoneType' object has no attribute"):
        return None
    for name in dict.fromkeys(_models(error)):
        from crewai import LLM

        try:
            LLM(model=name)
        except Exception as hidden:
            return hidden
    return None


def _models(error: BaseException) -> Iterator[str]:
    """Names of models that were handed to the object whose constructor failed within crewai."""
    given: dict[str, Any] | None = None
    inside, trace = False, error.__traceback__
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
        module = str(frame.f_globals.get("__name__", ""))
        if module == "pydantic.main" and isinstance(frame.f_locals.get("data"), dict):
            given = frame.f_locals["data"]
        inside = module.partition(".")[0] == "crewai"
    if inside and given is not None:
        yield from (given[each] for each in _NAMED if isinstance(given.get(each), str))
        if given.get("llm") is None:
            yield next((os.environ[each] for each in _VARIABLES if os.environ.get(each)), DEFAULT_MODEL)
