"""Builds a user's model again: the same class, the arguments it was built with, only its timeouts' values another.

A copy would share the live HTTP client and reach the real provider (`model_copy` and `with_options` do, measured with
crewai 1.15.30): nothing here copies a model. What cannot be built again is told, with the reason; nobody guesses.
"""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass, field
from typing import Any

from crewdoctor.model.probe import CannotProbe
from crewdoctor.worker import providers
from crewdoctor.worker.client_settings import STAND_IN
from crewdoctor.worker.construction import Built, Constructions
from crewdoctor.worker.provenance import Sources

MILLISECONDS = 1000
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "AZURE_API_KEY")
_PHASES = ("connect", "read", "write", "pool")
_CLIENTS = frozenset({"httpx", "httpx2", "openai", "anthropic", "azure", "boto3", "botocore", "requests", "aiohttp"})
_COMPARED = ("timeout.", "max_retries", "base_url", "dropped.")


@dataclass(slots=True)
class Scaled:
    """A model built again, and what somebody wrote that is another number in it."""

    model: Any
    written: dict[str, float] = field(default_factory=dict)
    """By the name of the argument (`timeout`, `client_params.timeout`): the seconds it says in the user's code."""


def stand_in_keys() -> None:
    """Set what keys are missing: a server of ours asks for none, and SDKs ask before they send. In led processes."""
    for name in _KEYS:
        os.environ.setdefault(name, STAND_IN)
    if not {"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"} & os.environ.keys():
        os.environ |= {"AWS_ACCESS_KEY_ID": STAND_IN, "AWS_SECRET_ACCESS_KEY": STAND_IN}
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def rebuilt(live: Any, constructions: Constructions, seconds: float) -> Scaled:
    """`live` built again with every timeout that was written as `seconds` (shorter ones stay). Raises CannotProbe."""
    built = constructions.of(live)
    if built is None or not (built.given or built.positional):
        raise CannotProbe("it was built before crewdoctor could note its arguments")
    found = _live_client(built)
    if found:
        raise CannotProbe(f"its argument `{found}` holds a live client, which cannot be built again")
    again = _construct(live, built, dict(built.given))
    changed = _difference(live, again)
    if changed:
        raise CannotProbe(f"it was changed after it was built: {changed}")
    given, written = scaled(built.given, seconds)
    return Scaled(_construct(live, built, given) if written else again, written)


def scaled(given: dict[str, Any], seconds: float) -> tuple[dict[str, Any], dict[str, float]]:
    """The arguments with every finite timeout lowered to `seconds`, and what each said before."""
    arguments, written = dict(given), dict[str, float]()
    said = _number(arguments.get("timeout"))
    if said is not None:
        arguments["timeout"] = min(said, seconds)
        written["timeout"] = said
    client = arguments.get("client_params")
    if isinstance(client, dict):
        client = arguments["client_params"] = dict(client)
        if client.get("timeout") is not None:
            client["timeout"], written["client_params.timeout"] = _lowered(client["timeout"], seconds)
        options = client.get("http_options")
        if options is not None and (milliseconds := _number(_of(options, "timeout"))):
            written["client_params.http_options.timeout"] = milliseconds / MILLISECONDS
            least = round(min(milliseconds, seconds * MILLISECONDS))
            client["http_options"] = _with(options, "timeout", least)
    return arguments, written


def _lowered(held: Any, seconds: float) -> tuple[Any, float]:
    """A number, or an object with one per phase; and its read timeout, the longest where it has none."""
    said = _number(held)
    if said is not None:
        return min(said, seconds), said
    phases = {name: getattr(held, name, None) for name in _PHASES}
    least = {name: None if value is None else min(float(value), seconds) for name, value in phases.items()}
    finite = [float(value) for value in phases.values() if value is not None]
    read = phases["read"]
    return type(held)(**least), float(read) if read is not None else max(finite, default=0.0)


def _construct(live: Any, built: Built, arguments: dict[str, Any]) -> Any:
    try:
        return type(live)(*built.positional, **arguments)
    except Exception as error:
        told = " ".join(str(error).split())[:160]
        raise CannotProbe(f"{type(live).__name__} does not build again: {type(error).__name__}: {told}") from None


def _difference(live: Any, again: Any) -> str:
    """The first setting in which the live object differs from one built as it was; empty where none does."""
    before, after = _settings(live), _settings(again)
    return next((name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)), "")


def _settings(llm: Any) -> dict[str, Any]:
    _, held = providers.describe(llm, "", Sources())
    return {each.name: each.value for each in held if each.name.startswith(_COMPARED)}


def _live_client(built: Built) -> str:
    """The argument that holds an open client of some library; empty where none does."""
    held = {**{str(index): value for index, value in enumerate(built.positional)}, **built.given}
    for name, value in held.items():
        nested = {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
        for path, each in nested.items():
            if any(_is_client(one) for one in (each, _of(each, "httpx_client"), _of(each, "httpx_async_client"))):
                return path
    return ""


def _is_client(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] in _CLIENTS and hasattr(value, "close")


def _of(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else getattr(holder, name, None)


def _with(holder: Any, name: str, value: Any) -> Any:
    """Options with one value another; options alone: they hold no connection."""
    if isinstance(holder, dict):
        return {**holder, name: value}
    made = copy.copy(holder)
    setattr(made, name, value)
    return made


def _number(value: Any) -> float | None:
    """A timeout as crewai takes it: a number, or one written as text."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
