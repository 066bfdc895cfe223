"""Command line, environment and config files to Options, each value with its origin. Nothing unknown is dropped."""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from crewdoctor.model.options import STYLES, Options
from crewdoctor.model.refusal import Refusal

PREFIX = "CREWDOCTOR_"
_OWN_VARIABLES = frozenset({"CREWDOCTOR_CI"})
_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*\Z")
_INTERNAL = frozenset(
    {
        "dry_run",
        "prove",
        "verbosity",
        "interactive",
        "target",
        "scope",
        "no_llm",
        "with_crew",
        "tool",
        "hosts",
        "model",
        "input_origins",
        "scale",
        "confirm",
        "change",
        "yes_load_this_endpoint",
    }
)
"""Options that belong to one run; a config file cannot set them."""


@dataclass(frozen=True, slots=True)
class Configured:
    """Merged options."""

    options: Options
    origins: dict[str, str]
    """Option name to where it was set: `--deadline`, `env CREWDOCTOR_DEADLINE`, a file. Defaults are absent."""
    warnings: tuple[str, ...] = ()


def configure(
    flags: Mapping[str, Any],
    *,
    environment: Mapping[str, str],
    folder: Path,
    known: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Configured:
    """Merge, strongest first: `flags` (None: not given), CREWDOCTOR_*, the nearest config file at or above `folder`.

    `known` are run-time facts (target, scope) that no one configures, `defaults` a command's own. Raises Refusal for
    anything malformed.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    warnings: list[str] = []
    inputs_from: dict[str, str] = {}
    for source, origin_of in (
        _file_values(folder),
        _environment_values(environment, warnings),
        _flag_values(flags),
    ):
        for name, value in source.items():
            read = _read(name, value, origin_of(name))
            merged = name in {"inputs", "tool_arguments"} and name in values
            values[name] = {**values[name], **read} if merged else read
            origins[name] = origin_of(name)
            inputs_from |= dict.fromkeys(read, origin_of(name)) if name == "inputs" else {}
    told = {**(defaults or {}), **values}
    return Configured(Options(**told, input_origins=inputs_from, **(known or {})), origins, tuple(warnings))


def seconds(text: str, origin: str) -> float:
    """`120s`, `2m`, `90`, `1.5h`, `500ms` to seconds. Raises Refusal."""
    match = _DURATION.match(text.lower())
    if match is None or match[2] not in _UNITS:
        raise Refusal(f"{origin}: {text!r} is not a duration; write 120s, 2m or 90")
    return float(match[1]) * _UNITS[match[2]]


Source = tuple[dict[str, Any], Callable[[str], str]]


def _flag_values(flags: Mapping[str, Any]) -> Source:
    given = {name: value for name, value in flags.items() if value is not None and value != []}
    return given, lambda name: _FLAG_OF.get(name, "--" + name.replace("_", "-"))


_FLAG_OF = {"allow_tools": "--allow-tool"}


def _environment_values(environment: Mapping[str, str], warnings: list[str]) -> Source:
    values: dict[str, Any] = {}
    for variable in sorted(environment):
        if not variable.startswith(PREFIX) or variable in _OWN_VARIABLES:
            continue
        name = _option_of(variable[len(PREFIX) :].lower())
        if name is None:
            warnings.append(f"env {variable}: no such option{_closest(variable[len(PREFIX) :].lower())}; ignored")
        else:
            values[name] = environment[variable]
    return values, lambda name: f"env {PREFIX}{_spelled(name).upper().replace('-', '_')}"


def _file_values(folder: Path) -> Source:
    for directory in (folder, *folder.parents):
        for file, table in (
            (directory / "crewdoctor.toml", ()),
            (directory / "pyproject.toml", ("tool", "crewdoctor")),
        ):
            held = _toml(file)
            for key in table:
                held = held.get(key) if isinstance(held, dict) else None
            if held is not None:
                return _file_options(held, str(file))
    return {}, str


def _file_options(held: Any, where: str) -> Source:
    if not isinstance(held, dict):
        raise Refusal(f"{where}: [tool.crewdoctor] is not a table")
    values: dict[str, Any] = {}
    for key, value in held.items():
        name = _option_of(key)
        if name is None:
            raise Refusal(f"{where}: unknown option {key!r} for crewdoctor{_closest(key)}")
        values[name] = value
    return values, lambda _: where


def _toml(file: Path) -> Any:
    if not file.is_file():
        return None
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal(f"{file}: not valid TOML: {error}") from None
    except OSError as error:
        raise Refusal(f"{file}: cannot be read: {error.strerror}") from None


_ALIASES = {"allow_tool": "allow_tools", "tools": "tool_arguments"}


CONFIGURABLE = frozenset(each.name for each in fields(Options)) - _INTERNAL
"""Options a file, a variable or a flag may set."""


def _option_of(key: str) -> str | None:
    name = key.replace("-", "_")
    name = _ALIASES.get(name, name)
    return name if name in CONFIGURABLE else None


def _spelled(name: str) -> str:
    return {held: alias for alias, held in _ALIASES.items()}.get(name, name).replace("_", "-")


def _closest(key: str) -> str:
    known = sorted(_spelled(name) for name in CONFIGURABLE)
    near = difflib.get_close_matches(key.replace("_", "-"), known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"


def _read(name: str, value: Any, origin: str) -> Any:
    try:
        return _READERS[name](value, origin)
    except (TypeError, ValueError):
        raise Refusal(f"{origin}: {_spelled(name)} cannot be {value!r}{_EXPECTED.get(name, '')}") from None


def _duration(value: Any, origin: str) -> float:
    read = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else seconds(value, origin)
    if read <= 0:
        raise Refusal(f"{origin}: a duration is longer than 0 s, not {value}")
    return read


def _count(value: Any, origin: str) -> int:
    read = int(value)
    if read < 0 or isinstance(value, bool):
        raise Refusal(f"{origin}: a count is 0 or more, not {value}")
    return read


def _choice(*choices: str) -> Callable[[Any, str], str]:
    def read(value: Any, origin: str) -> str:
        if value not in choices:
            raise Refusal(f"{origin}: {value!r} is not one of {', '.join(choices)}")
        return str(value)

    return read


def _words(value: Any, _origin: str) -> tuple[str, ...]:
    listed = value.split(",") if isinstance(value, str) else value
    if not all(isinstance(each, str) for each in listed):
        raise TypeError
    return tuple(part.strip() for each in listed for part in each.split(",") if part.strip())


_EXAMPLE = '\'{"topic": "x"}\''


def _codes(value: Any, origin: str) -> tuple[str, ...]:
    """Rules: a misspelt one would leave every rule out, and the crew would seem healthy."""
    from crewdoctor import rulebook

    codes = _words(value, origin)
    strange = rulebook.unknown(codes)
    if strange:
        raise Refusal(f"{origin}: no rule is called {strange[0]}; write CD301, or CD3 for a family")
    return codes


def table(value: Any, origin: str) -> dict[str, Any]:
    """JSON text, or what a TOML table became, to names and values. Raises Refusal."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise Refusal(f"{origin}: not valid JSON: {error}; write an object, e.g. {_EXAMPLE}") from None
    if not isinstance(value, dict):
        raise Refusal(f"{origin}: expected an object of names and values, e.g. {_EXAMPLE}")
    return value


def _tables(value: Any, origin: str) -> dict[str, dict[str, Any]]:
    return {name: table(held, f"{origin}: tools.{name}") for name, held in table(value, origin).items()}


def _truth(value: Any, _origin: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    if not isinstance(value, bool):
        raise TypeError
    return value


def _text(value: Any, _origin: str) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "inputs": table,
    "tool_arguments": _tables,
    "llm": _choice("auto", "own", "embedded"),
    "fail_on": _choice("error", "warning", "never"),
    "deadline": _duration,
    "outer": _duration,
    "max_llm_calls": _count,
    "style": _choice(*STYLES),
    "max_concurrency": _count,
    "model_latency": _duration,
    "python": _text,
    "allow_tools": _words,
    "select": _codes,
    "ignore": _codes,
    "include_content": _truth,
    "dry_run": _truth,
    "prove": _truth,
    "verbosity": _count,
}
_EXPECTED = {
    "include_content": "; write true or false",
    "max_llm_calls": "; write a number",
    "max_concurrency": "; write a number",
}
