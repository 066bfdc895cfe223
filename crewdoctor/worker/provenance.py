"""Where a setting was written: the user's line, the YAML line, the variable, or whose default it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from crewdoctor.model.setting import Location, Provenance
from crewdoctor.scan.definition_keys import keys_in
from crewdoctor.scan.origin import origin_of
from crewdoctor.scan.statement import call_at
from crewdoctor.worker.construction import Built, Constructions
from crewdoctor.worker.source_place import place, shown


@dataclass(slots=True)
class Sources:
    """What a loaded target lets us trace."""

    constructions: Constructions = field(default_factory=Constructions)
    dotenv: Mapping[str, int] = field(default_factory=dict)
    root: Path = field(default_factory=Path.cwd)
    definition: str = ""
    """The file that defines the crew, where it is no Python."""

    def of(self, thing: Any, name: str, *, package: str = "crewai") -> Provenance:
        """Who says what `thing.name` is. A field nobody set is a default of `package`."""
        built = self.constructions.of(thing)
        if not was_set(thing, name, built):
            return default_of(package)
        if built is None:
            return Provenance("python", "set in code")
        if name in built.config and name not in built.keywords:
            found = self._yaml(thing, name, built)
            return found or Provenance("yaml", "a configuration file")
        shadowed = self._yaml(thing, name, built) if name in built.config else None
        found = self._python(built, name)
        return replace(found, shadows=shadowed.where) if shadowed is not None else found

    def _python(self, built: Built, name: str) -> Provenance:
        """Where the value of a keyword was written: at the call, or where the call has it from."""
        origin = origin_of(built.frames, name)
        if origin is None:
            if not built.frames:
                return self._definition(name) or Provenance("python", "set in code")
            return _python(*built.frames[0])
        held = _python(origin.file, origin.line, origin.function)
        if origin.variable:
            variable = self.of_variable(origin.variable)
            if variable is None:
                return replace(held, where=f"{held.where}, for want of env {origin.variable}")
            return replace(variable, location=variable.location or held.location)
        if not origin.followed:
            return replace(held, where=f"{held.where}, {origin.said} cannot be followed")
        return held

    def _definition(self, name: str) -> Provenance | None:
        """The one line of a definition in JSON or YAML that says `name`; None where several do, or none."""
        if not self.definition:
            return None
        found = list(keys_in(Path(self.definition), name))
        if len(found) != 1:
            return Provenance("yaml", shown(self.definition)) if found else None
        file, line = found[0]
        return Provenance("yaml", f"{shown(file)}:{line}", place(file, line))

    def of_variable(self, *names: str) -> Provenance | None:
        """The first of these environment variables that is set, and where."""
        for name in names:
            if not os.environ.get(name):
                continue
            line = self.dotenv.get(name)
            if line is None:
                return Provenance("environment", f"env {name}")
            file = str(self.root / ".env")
            over = f"env {name}" if _inherited(name) else ""
            return Provenance("dotenv", f".env:{line}", Location(file, line, source=f"{name}=..."), over)
        return None

    def built_at(self, thing: Any) -> Location | None:
        """The user's line that built it."""
        built = self.constructions.of(thing)
        return place(*built.frames[0]) if built is not None and built.frames else None

    def _yaml(self, thing: Any, name: str, built: Built) -> Provenance | None:
        """The line of `name` in a YAML file near the class, under the entry that says what `thing` says."""
        folders = dict.fromkeys(Path(file).parent for file, _, _ in built.frames)
        for folder in folders:
            for file in sorted({*folder.glob("*.y*ml"), *folder.glob("config/*.y*ml")}):
                line = _yaml_line(str(file), name, _words_of(thing))
                if line:
                    return Provenance("yaml", f"{shown(str(file))}:{line}", place(str(file), line))
        return None


def _inherited(name: str) -> bool:
    """Whether this process was started with another value of a variable than it has now; False where nobody knows."""
    try:
        started = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    held = next((each for each in started if each.startswith(f"{name}=".encode())), None)
    return held is not None and held != os.fsencode(f"{name}={os.environ.get(name, '')}")


def was_set(thing: Any, name: str, built: Built | None = None) -> bool:
    """Whether somebody gave `name` to `thing` when it was built."""
    if built is not None and (name in built.keywords or name in built.config):
        return True
    held = getattr(thing, "model_fields_set", None)
    return isinstance(held, (set, frozenset)) and name in held and not _is_default(thing, name)


def _is_default(thing: Any, name: str) -> bool:
    """A validator may set a field to what it is anyway."""
    described = getattr(type(thing), "model_fields", {}).get(name)
    return described is not None and getattr(described, "default", None) == getattr(thing, name, None)


def default_of(package: str) -> Provenance:
    """`default of openai 2.54.0`."""
    return Provenance("default", f"default of {package} {version_of(package)}".rstrip())


def version_of(package: str) -> str:
    """The installed version, an empty string where there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def at(location: Location | None, where: str = "") -> Provenance:
    """Written in Python at a line."""
    if location is None:
        return Provenance("python", where or "set in code")
    return Provenance("python", where or f"{shown(location.file)}:{location.line}", location)


def _python(file: str, line: int, function: str) -> Provenance:
    return at(replace(place(file, line, function), statement=call_at(file, line)))


def _words_of(thing: Any) -> tuple[str, ...]:
    """What an agent or task says of itself, as written before inputs were filled in."""
    names = ("role", "goal", "backstory", "description", "expected_output")
    return tuple(str(getattr(thing, each)).strip() for each in names if isinstance(getattr(thing, each, None), str))


def _yaml_line(file: str, name: str, words: tuple[str, ...]) -> int:
    try:
        import yaml

        root = yaml.compose(Path(file).read_text("utf-8"), Loader=yaml.SafeLoader)
    except Exception:
        return 0
    best, line = 0, 0
    for _, entry in getattr(root, "value", ()) if getattr(root, "id", "") == "mapping" else ():
        if getattr(entry, "id", "") != "mapping":
            continue
        said = {str(value.value).strip() for _, value in entry.value}
        alike = sum(word in said for word in words)
        for key, _ in entry.value:
            if key.value == name and alike > best:
                best, line = alike, key.start_mark.line + 1
    return line
