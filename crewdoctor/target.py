"""Where the target lies, which interpreter runs it, and what its process is given. Loads nothing."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crewdoctor.model.options import Options
from crewdoctor.model.refusal import Refusal
from crewdoctor.project import NoProject, target_in

USAGE = 2
LOADS_WITHIN = 60.0
"""Seconds a target may take to load, where the deadline leaves that much."""
ROOT_MARKS = ("pyproject.toml", "crewdoctor.toml")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")


@dataclass(frozen=True, slots=True)
class Project:
    """A target on disk."""

    target: str
    """Absolute path or dotted module, with `:name` where the user or the project gives one."""
    root: Path
    """The folder `crewai run` would start in: the nearest one upwards with a pyproject.toml, else the file's own."""
    python: str
    environment: Mapping[str, str]

    @property
    def shown(self) -> str:
        """The target from the project's folder on."""
        return self.target.removeprefix(f"{self.root}{os.sep}")

    def inspect_arguments(self, options: Options) -> dict[str, Any]:
        """What the crew worker is told. Inputs cross the pipe, not the command line."""
        return {
            "target": self.target,
            "project_root": str(self.root),
            "inputs": dict(options.inputs),
            "llm": options.llm,
            "include_content": options.include_content,
            "deadline": min(LOADS_WITHIN, options.deadline / 2),
        }


def find_project(options: Options) -> Project:
    """Resolve the target: a file, a folder, `package.module:name`; without one, the project around this folder.

    Raises Refusal when it names nothing that exists, NoProject (one of them) when no target was given and there is no
    project here.
    """
    if not options.target:
        return _project(options, target_in(Path.cwd(), upwards=True))
    text, name = _split(options.target)
    path = Path(text).expanduser()
    if path.is_dir():
        return _project(options, target_in(path.resolve()), name)
    if path.exists():
        return _project(options, str(path.resolve()), name)
    if _MODULE.match(text) and (name or "." in text) and not text.endswith((".py", ".json", ".jsonc", ".yaml", ".yml")):
        root = _root(Path.cwd() / "here")
        return Project(options.target, root, _interpreter(options, root), dict(os.environ))
    raise Refusal(
        f"{text}: no such file; give the file that defines the crew, e.g. `crewdoctor diagnose crew.py`", USAGE
    )


def _project(options: Options, target: str, name: str = "") -> Project:
    """`target`: what was found; `name`: what the user chose in it, which wins."""
    text, given = _split(target)
    root = _root(Path(text))
    chosen = name or given
    return Project(f"{text}:{chosen}" if chosen else text, root, _interpreter(options, root), dict(os.environ))


def _root(file: Path) -> Path:
    return next(
        (folder for folder in file.parents if any((folder / mark).is_file() for mark in ROOT_MARKS)), file.parent
    )


def _split(target: str) -> tuple[str, str]:
    """`crew.py:name` to its two halves; a path may hold colons."""
    head, colon, name = target.rpartition(":")
    if colon and name.isidentifier() and not Path(target).exists():
        return head, name
    return target, ""


def _interpreter(options: Options, root: Path) -> str:
    """`--python`, else the project's .venv, else VIRTUAL_ENV, else ours: the first that holds crewai."""
    if options.python:
        if not (os.access(options.python, os.X_OK) and Path(options.python).is_file()):
            raise Refusal(f"--python {options.python}: not an interpreter; give the path of a python executable", USAGE)
        return options.python
    named = os.environ.get("VIRTUAL_ENV")
    candidates = [root / ".venv", *([Path(named)] if named else [])]
    usable = [folder for folder in candidates if os.access(folder / "bin" / "python", os.X_OK)]
    # A shell's environment that has no crewai is not the crew's own while ours has it.
    holding = [folder for folder in usable if any(folder.glob("lib*/python*/site-packages/crewai"))]
    if holding or (usable and not _ours_holds_crewai()):
        return str((holding or usable)[0] / "bin" / "python")
    return sys.executable


def _ours_holds_crewai() -> bool:
    return any((Path(entry) / "crewai").is_dir() for entry in sys.path if entry)


__all__ = ["NoProject", "Project", "find_project"]
