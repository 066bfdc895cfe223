"""Written for another crewai: the import, keyword or field that is not there, and the version where it moved.

What the table (`version_table.py`) knows was looked up in the published packages; what it does not know is not claimed:
then only the installed version is named.
"""

from __future__ import annotations

import importlib
import re
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from crewdoctor.model.setting import Location
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.source_place import at
from crewdoctor.worker.version_table import BROUGHT, FIELDS, IMPORTS, WHOLE, Moved

_HOMES = (
    "crewai",
    "crewai.tools",
    "crewai.project",
    "crewai.flow.flow",
    "crewai.process",
    "crewai.llm",
    "crewai_tools",
)
"""Where a name that moved may live now: looked into, never assumed."""
_MISSING = re.compile(r"cannot import name '([^']+)'")


def moved(error: ImportError, where: Location | None) -> TargetDoesNotLoad:
    """An import of crewai's own that the installed version does not have."""
    module = error.name or ""
    missing = _MISSING.search(str(error))
    wanted = missing[1] if missing else ""
    if not wanted and where is not None:
        wanted = _wanted_on(where.source or "", module)
    package = module.split(".", 1)[0].replace("_", "-")
    here = f"{package} {_version(package)}"
    written = f"from {module} import {wanted}" if wanted else f"import {module}"
    known = _row(module, wanted)
    home = _home_of(wanted, module) if wanted else ""
    if known is not None and known.instead:
        way_out = known.instead
    elif home:
        way_out = f"it lives in `{home}` now: from {home} import {wanted}"
    else:
        way_out = "adapt it, or install the crewai it was written for"
    return TargetDoesNotLoad(
        "other_version",
        f"it was written for another crewai version: `{written}` does not exist in {here}"
        f"{at(where)}{f': {known.sentence}' if known else ''}",
        way_out,
        location=where,
    )


def brought_once(package: str) -> str:
    """The versions between which crewai stopped bringing a package along; an empty string for any other package."""
    known = BROUGHT.get(package)
    return f" ({known.sentence})" if known is not None else ""


def _wanted_on(line: str, module: str) -> str:
    found = re.match(rf"\s*from\s+{re.escape(module)}\s+import\s+\(?\s*(\w+)", line)
    return found[1] if found else ""


def _row(module: str, wanted: str) -> Moved | None:
    """The row of the very name, else of its module or a package around it."""
    exact = IMPORTS.get((module, wanted)) if wanted else None
    while exact is None and module:
        exact = IMPORTS.get((module, ""))
        module = module.rpartition(".")[0]
    return exact


def _home_of(name: str, not_in: str) -> str:
    """The module that holds `name` in the installed version, proved by importing it."""
    for home in _HOMES:
        if home == not_in:
            continue
        try:
            if hasattr(importlib.import_module(home), name):
                return home
        except Exception:  # noqa: S112 - an optional package that is absent proves nothing
            continue
    return ""


def not_accepted(error: Any, about: str, where: Location | None) -> TargetDoesNotLoad:
    """A crewai object that refuses how it is built."""
    problems = error.errors(include_url=False)
    first = problems[0] if problems else {}
    title, names = str(error.title), [str(part) for part in first.get("loc", ())]
    known = _field(title, names, str(first.get("msg", "")))
    foreign = bool(known and known.sentence) or first.get("type") in ("missing", "extra_forbidden", "is_instance_of")
    return TargetDoesNotLoad(
        "other_version" if foreign else "raises",
        f"crewai {_version('crewai')} does not accept this {title}{at(where)}: {about}"
        f"{f'; {known.sentence}' if known and known.sentence else ''}",
        known.instead
        if known is not None and known.instead
        else "adapt it to this version of crewai, or install the one it was written for",
        location=where,
    )


def _field(title: str, names: list[str], message: str) -> Moved | None:
    if not names:
        return next((row for words, row in WHOLE.items() if words in message), None)
    return next((row for (kind, name), row in FIELDS.items() if kind == title and name in names), None)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(unknown version)"
