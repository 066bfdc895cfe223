"""Arguments for a factory: given in `--inputs`, else its own defaults, else of the right shape where that is safe.

A value is made up only for what a crew is *about* (`topic`, `company`, `question`): never for keys, paths, connections,
callables or anything else that decides where a call goes.
"""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.source_place import at, defined_at

_ABOUT = re.compile(
    r"""topics?|subjects?|quer(y|ies)|questions?|texts?|title|theme|idea|content|prompt|message|keywords?|company|city
    |cities|country|origin|destination|location|language|industry|sector|product|market|audience|goal|objective
    |description|names?|roles?|interests?|range|dates?|year|month|ticker|stock|symbol|job|position|skills?|genre|style
    |tone|brand|features?|requirements?|task|problem|issue|instructions?|inputs?|verbose|debug|count|limit|n|num|number
    |max|results|items|days|words""",
    re.VERBOSE,
)
_NEVER = re.compile(
    r"""keys?|tokens?|secrets?|password|credentials?|auth|paths?|files?|filename|dir|directory|folder|ur[li]s?|hosts?|port
    |endpoint|server|address|conn|connection|db|database|session|client|engine|bucket|queue|callback|hook|handler|llm
    |model|embedder|tenant|account|user|ids?|env|config|settings|crew|agents?|tools?|dry|force|delete|write|send|request
    """,
    re.VERBOSE,
)
_SPREAD = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


@dataclass(slots=True)
class Arguments:
    """What a call is given, and what of it was made up."""

    positional: list[Any] = field(default_factory=list)
    named: dict[str, Any] = field(default_factory=dict)
    invented: dict[str, Any] = field(default_factory=dict)

    def made_up(self, name: str) -> dict[str, str]:
        """Which values were invented, each with whom it was passed to."""
        return dict.fromkeys(self.invented, f"{name}()")

    def note(self, name: str) -> tuple[str, ...]:
        """One sentence for the user where values were made up."""
        if not self.invented:
            return ()
        shown = ", ".join(f"{each}={value!r}" for each, value in self.invented.items())
        return (f"`{name}` was called with invented values ({shown}); give your own with {flag(list(self.invented))}",)


def parameters_of(function: Any) -> list[inspect.Parameter]:
    """Parameters of a function or class; none where they cannot be read."""
    found = _signature(function)
    if isinstance(function, type) and all(each.kind in _SPREAD for each in found):
        return _signature(function.__init__)[1:]  # type: ignore[misc] # what a metaclass (`@CrewBase`) passes on
    return found


def _signature(function: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function, eval_str=True).parameters.values())
    except Exception:  # annotations of the user's may raise anything when they are evaluated
        with suppress(Exception):
            return list(inspect.signature(function).parameters.values())
    return []


def missing(function: Any, inputs: Mapping[str, Any]) -> list[inspect.Parameter]:
    """Parameters without default that the inputs do not give."""
    return [
        each
        for each in parameters_of(function)
        if each.default is each.empty and each.kind not in _SPREAD and each.name not in inputs
    ]


def arguments_for(function: Any, name: str, inputs: Mapping[str, Any]) -> Arguments:
    """Everything `function` needs. Raises TargetDoesNotLoad naming what nobody gave and cannot be made up."""
    lacking = [each.name for each in missing(function, inputs) if _made_up(each) is None]
    if lacking:
        where, several = defined_at(function), len(lacking) > 1
        raise TargetDoesNotLoad(
            "missing_argument",
            f"`{name}` needs {'arguments' if several else 'an argument'}: {', '.join(lacking)}{at(where)}",
            f"give {'them' if several else 'it'} with {flag(lacking)}, "
            "or name a function without parameters that returns the Crew",
            usage=True,
            location=where,
        )
    found = Arguments()
    for each in parameters_of(function):
        if each.kind in _SPREAD or (each.name not in inputs and each.default is not each.empty):
            continue
        if each.name in inputs:
            value = _shaped(inputs[each.name], each.annotation)
        else:
            value = found.invented[each.name] = _made_up(each)
        if each.kind is each.POSITIONAL_ONLY:
            found.positional.append(value)
        else:
            found.named[each.name] = value
    return found


def flag(names: list[str]) -> str:
    """How to give inputs of these names on the command line."""
    return f"--inputs '{json.dumps(dict.fromkeys(names, '...'))}'"


def _shaped(value: Any, annotation: Any) -> Any:
    """A JSON object for a pydantic model (the body of a request, a state) becomes one."""
    validate = getattr(annotation, "model_validate", None)
    return validate(value) if isinstance(annotation, type) and validate and isinstance(value, dict) else value


def _made_up(parameter: inspect.Parameter) -> Any:
    """A value of the right shape, None where none may be made up."""
    words = [each.lower() for each in _WORDS.findall(parameter.name)]
    if not any(map(_ABOUT.fullmatch, words)) or any(map(_NEVER.fullmatch, words)):
        return None
    kind = _plain(parameter.annotation)
    text = parameter.name.replace("_", " ").strip()
    if kind == "bool" or (kind == "" and {*words} & {"verbose", "debug"}):
        return False
    if kind in ("int", "float"):
        return 1 if kind == "int" else 1.0
    if kind in ("list", "tuple"):
        return [text] if kind == "list" else (text,)
    return text if kind in ("str", "") else None


def _plain(annotation: Any) -> str:
    """`str int float bool list tuple`, an empty string for no annotation, another word for anything else."""
    if annotation is inspect.Parameter.empty or annotation is Any:
        return ""
    if isinstance(annotation, str):
        return annotation.replace(" ", "").removesuffix("|None").partition("[")[0].lower()
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        held = [each for each in typing.get_args(annotation) if each is not type(None)]
        return _plain(held[0]) if len(held) == 1 else "union"
    origin = typing.get_origin(annotation) or annotation
    if origin is list and typing.get_args(annotation) not in ((), (str,)):
        return "list of others"
    return str(getattr(origin, "__name__", origin))
