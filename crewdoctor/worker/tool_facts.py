"""Tools: where their code is, what it can wait for, and for how long."""

from __future__ import annotations

import inspect
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crewdoctor.model.inventory import Endpoint, ScanEntry, ToolEntry
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Location, Provenance, Seconds, Setting, Timeout
from crewdoctor.scan.calls import Waiting
from crewdoctor.scan.module import read_module
from crewdoctor.scan.reach import Known, functions_at, reachable
from crewdoctor.scan.urls import urls_in
from crewdoctor.wire.codec import encode
from crewdoctor.wire.redact import redact
from crewdoctor.worker.hosts import endpoint
from crewdoctor.worker.parts import Parts
from crewdoctor.worker.provenance import at
from crewdoctor.worker.source_place import is_users, shown

_URL = re.compile(r"\b[a-z][a-z0-9+]*://[^\s\"'<>{}|]+", re.IGNORECASE)
_KNOWN_ATTRIBUTES = frozenset({"name", "description", "args_schema", "result_schema", "cache_function", "env_vars"})
_TIMEOUTS = ("timeout", "request_timeout", "connect_timeout", "connection_timeout")


@dataclass(slots=True)
class ToolFacts:
    """What is known of one tool."""

    entry: ToolEntry
    scan: list[ScanEntry] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    endpoints: list[Endpoint] = field(default_factory=list)


def tool_facts(subject: str, tool: Any, parts: Parts, search: tuple[str, ...]) -> ToolFacts:
    """Everything of one tool, without calling it."""
    function = code_of(tool)
    code = getattr(function, "__code__", None)
    attributes = _attributes(tool)
    waits: tuple[Waiting, ...] = ()
    location: Location | None = None
    found: list[tuple[str, str, Location | None]] = [
        (url, f"attribute {name}", None) for name, url in _attribute_urls(attributes)
    ]
    if code is not None:
        known = Known(_globals_of, _closure_of(function), attributes, search)
        location = _definition(code)
        waits = reachable(code.co_filename, code.co_firstlineno, known)
        found += [(each.url, _shown(each.location), each.location) for each in waits if each.network and each.url]
        followed = [each.url for each in waits if each.network]
        unclear = not followed or any(endpoint(url, "tool") is None for url in followed)
        for module, each in functions_at(code.co_filename, code.co_firstlineno, known) if unclear else ():
            if is_users(module.file):
                live = {**_globals_of(module.file), **known.closure}
                found += [(url, _shown(where), where) for url, where in urls_in(module, each, live, attributes)]
    clients = tuple(dict.fromkeys(each.client for each in waits if each.network))
    endpoints = [
        endpoint(url, "tool", used_by=(subject,), clients=clients, source=source, location=where)
        for url, source, where in found
    ]
    kept = [each for each in endpoints if each is not None]
    entry = ToolEntry(
        subject,
        str(getattr(tool, "name", type(tool).__name__)),
        "function" if getattr(tool, "func", None) is not None else f"{type(tool).__module__}.{type(tool).__qualname__}",
        location,
        _schema(tool),
        tuple(parts.owners.get(subject, ())),
        tuple(dict.fromkeys(each.subject for each in kept)),
    )
    scan = [
        ScanEntry(
            each.location,
            each.client,
            each.call,
            encode(each.limit.read),
            (subject,),
            redact(each.url),
            each.program,
            *_repeated(each),
        )
        for each in waits
    ]
    return ToolFacts(entry, scan, _settings(subject, waits, attributes, location), kept)


def _repeated(waiting: Waiting) -> tuple[int, float]:
    held = waiting.repeats
    endless = math.isinf(held.attempts) or math.isinf(held.slept)
    return (0, 0.0) if endless else (int(held.attempts), round(held.slept, 3))


def code_of(tool: Any) -> Any:
    """The user's own function: what `@tool` wraps, else the class's `_run`, decorators taken off."""
    held = getattr(tool, "func", None)
    if held is None:
        held = getattr(type(tool), "_run", None)
    held = inspect.unwrap(held) if held is not None else None
    return getattr(held, "__func__", held)


def _definition(code: Any) -> Location:
    module = read_module(code.co_filename)
    function = module.function_at(code.co_firstlineno)
    line = function.lineno if function is not None else code.co_firstlineno
    return Location(os.path.realpath(code.co_filename), line, code.co_name, module.source(line))


def _shown(location: Location) -> str:
    return f"{shown(location.file)}:{location.line}"


def _globals_of(file: str) -> Mapping[str, Any]:
    """Live globals of a loaded file: `sys.modules` by path, the script that runs as `__main__` included."""
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == file:
            return vars(module)
    return {}


def _closure_of(function: Any) -> dict[str, Any]:
    """Free variables and, for a function whose module is gone from sys.modules, its globals."""
    held = dict(getattr(function, "__globals__", {}))
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=False):
        with suppress(ValueError):  # not filled yet
            held[name] = cell.cell_contents
    return held


def _attributes(tool: Any) -> dict[str, Any]:
    found = dict(getattr(tool, "__dict__", {}))
    private = getattr(tool, "__pydantic_private__", None)
    if isinstance(private, dict):
        found |= private
    for name, value in vars(type(tool)).items():
        if not name.startswith("__") and isinstance(value, (str, int, float)):
            found.setdefault(name, value)
    return found


def _attribute_urls(attributes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in attributes.items():
        if name in _KNOWN_ATTRIBUTES:
            continue
        text = value if isinstance(value, str) else str(value) if type(value).__name__.endswith("Url") else ""
        found = _URL.match(text.strip())
        if found is not None:
            yield name, found[0]


def _schema(tool: Any) -> dict[str, Any]:
    try:
        schema: dict[str, Any] = tool.args_schema.model_json_schema()
    except Exception:
        return {}
    return schema


def _settings(
    subject: str, waits: tuple[Waiting, ...], attributes: Mapping[str, Any], location: Location | None
) -> list[Setting]:
    """`timeout`: the longest wait any of its calls allows; `timeout.connect` where a call says another."""
    # A file's lock is no answer: where the tool also waits for somebody, that wait is the tool's timeout.
    waits = tuple(each for each in waits if each.client != "sqlite3") or waits
    if not waits:
        return [_attribute_setting(subject, attributes, location)]
    longest = max(waits, key=lambda each: _rank(each.limit.read))
    settings = [_setting(subject, "timeout", longest.limit.read, longest)]
    connects = [each for each in waits if each.limit.connect is not None]
    if connects:
        slowest = max(connects, key=lambda each: _rank(each.limit.connect or UNKNOWN))
        settings.append(_setting(subject, "timeout.connect", slowest.limit.connect or UNKNOWN, slowest))
    return settings


def _setting(subject: str, name: str, value: Timeout, waiting: Waiting) -> Setting:
    note = f"`{waiting.call}` at {_shown(waiting.location)}"
    if waiting.written_at is not None and not is_users(waiting.written_at.file):
        package = Path(waiting.written_at.file.partition("site-packages/")[2]).parts[:1]
        whence = Provenance("default", f"hard-coded in {''.join(package) or 'a library'}", waiting.written_at)
        return Setting(subject, "tool", name, value, whence, note)
    if waiting.written_at is not None:
        return Setting(subject, "tool", name, value, at(waiting.written_at), note)
    whence = Provenance("default", f"default of {waiting.client}", waiting.location)
    return Setting(subject, "tool", name, value, whence, note)


def _attribute_setting(subject: str, attributes: Mapping[str, Any], location: Location | None) -> Setting:
    """Nothing to read in its source: a `timeout` attribute is a hint, never proof that anybody honours it."""
    named = [(name, attributes[name]) for name in _TIMEOUTS if isinstance(attributes.get(name), (int, float))]
    if named and location is not None and not is_users(location.file):
        name, value = named[0]
        note = f"attribute `{name}` of the tool; whether its client honours it is not read from here"
        return Setting(
            subject, "tool", "timeout", Seconds(float(value)), Provenance("default", f"attribute {name}"), note
        )
    whence = Provenance("unknown", "no call that can wait was found in its source")
    return Setting(subject, "tool", "timeout", UNKNOWN, whence)


def _rank(timeout: Timeout) -> float:
    """The gravest last: seconds, then what nobody knows, then what never ends."""
    if isinstance(timeout, Seconds):
        return timeout.value
    return float("inf") if timeout is UNLIMITED else 1e12
