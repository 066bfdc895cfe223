"""A folder's crew, as `crewai run` would find it: `[tool.crewai]`, its scripts, and files by their usual names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crewdoctor.model.refusal import USAGE, Refusal

_SCRIPTS = {"crew": ("run_crew",), "flow": ("kickoff", "run_crew")}
"""Script names `crewai run` starts, by `[tool.crewai] type`."""
_FILES = ("crew.jsonc", "crew.json", "crew.py", "src/*/crew.py", "flow.py", "src/*/flow.py", "main.py", "src/*/main.py")


class NoProject(Refusal):
    """No target was given, and this folder is no project with a crew."""


def target_in(folder: Path, *, upwards: bool = False) -> str:
    """The target a folder stands for: an absolute path or dotted module, `:name` behind it where a script names one.

    `upwards`: also look for a crewAI project around the folder. Raises NoProject when there is no crew, Refusal for a
    project that contradicts itself.
    """
    for each in (folder, *(folder.parents if upwards else ())):
        held = _toml(each / "pyproject.toml")
        if each == folder or _table(held, "tool", "crewai"):
            found = _configured(each, held) or _by_file(each)
            if found:
                return found
    raise NoProject(
        f"{folder}: no crew here: no pyproject.toml with [tool.crewai], and none of {', '.join(_FILES)}; "
        "give the file that defines the crew, as in `crew.py`",
        USAGE,
    )


def _configured(root: Path, held: dict[str, Any]) -> str:
    crewai = _table(held, "tool", "crewai")
    kind = str(crewai.get("type") or "crew")
    if "definition" in crewai:
        return _definition(root, crewai["definition"])
    scripts = {**_table(held, "tool", "poetry", "scripts"), **_table(held, "project", "scripts")}
    for name in _SCRIPTS.get(kind, ("run_crew",)):
        entry = scripts.get(name)
        if isinstance(entry, str) and ":" in entry:
            return _entry(root, entry)
    return ""


def _definition(root: Path, given: Any) -> str:
    """crewai_core.project.resolve_project_definition_path: relative, inside the project, an existing file."""
    where = f"{root / 'pyproject.toml'}: [tool.crewai] definition"
    if not isinstance(given, str) or not given.strip():
        raise Refusal(f"{where} must name a file of the project, not {given!r}", USAGE)
    path = (root / given.strip()).resolve()
    if Path(given.strip()).is_absolute() or given.startswith("~") or not path.is_relative_to(root.resolve()):
        raise Refusal(f"{where} must lie inside the project: {given!r}", USAGE)
    if not path.is_file():
        raise Refusal(f"{where} names {given!r}, and there is no such file", USAGE)
    return str(path)


def _entry(root: Path, entry: str) -> str:
    """`package.main:run` as a file of the project; as written where the project does not hold it."""
    module, _, name = (part.strip() for part in entry.partition(":"))
    for base in (root / "src", root):
        for file in (
            base.joinpath(*module.split(".")).with_suffix(".py"),
            base.joinpath(*module.split("."), "__init__.py"),
        ):
            if file.is_file():
                return f"{file}:{name}"
    raise Refusal(f"{root / 'pyproject.toml'}: the script `{entry}` names no module of this project", USAGE)


def _by_file(root: Path) -> str:
    for pattern in _FILES:
        found = sorted(_matches(root, pattern))
        if len(found) > 1:
            listed = ", ".join(str(each.relative_to(root)) for each in found)
            raise Refusal(f"{root}: holds {len(found)} crews: {listed}; give one of them", USAGE)
        if found:
            return str(found[0])
    return ""


def _matches(root: Path, pattern: str) -> Iterator[Path]:
    return (each for each in root.glob(pattern) if each.is_file() and _mentions_crewai(each))


def _mentions_crewai(file: Path) -> bool:
    """A `main.py` of something else is no crew."""
    if file.suffix != ".py" or file.stem == "crew":
        return True
    try:
        return "crew" in file.read_text("utf-8", "replace").lower()
    except OSError:
        return False


def _table(held: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        held = held.get(key) if isinstance(held, dict) else None
    return held if isinstance(held, dict) else {}


def _toml(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal(f"{file}: not valid TOML: {error}", USAGE) from None
    except OSError as error:
        raise Refusal(f"{file}: cannot be read: {error.strerror}", USAGE) from None
