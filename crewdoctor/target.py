"""Where the target lies, which interpreter runs it, and what its process is given. Loads nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crewdoctor.interpreter import find_interpreter
from crewdoctor.model.options import Options
from crewdoctor.model.refusal import Refusal
from crewdoctor.project import NoProject, target_in

USAGE = 2
LOADS_WITHIN = 60.0
"""Seconds a target may take to load, where the deadline leaves that much."""
ROOT_MARKS = ("pyproject.toml", "crewdoctor.toml")
MINIMAL = Path(__file__).resolve().parent / "minimal" / "minimal_crew.py"
MINIMAL_SHOWN = "a minimal crew (there is no crew here)"
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
        if self.target == str(MINIMAL):
            return MINIMAL_SHOWN
        return self.target.removeprefix(f"{self.root}{os.sep}")

    def inspect_arguments(self, options: Options) -> dict[str, Any]:
        """What the crew worker is told. Inputs cross the pipe, not the command line."""
        return {
            "target": self.target,
            "project_root": str(self.root),
            "inputs": dict(options.inputs),
            "llm": options.llm,
            "offline": options.llm == "embedded" or options.scope == "settings",
            "include_content": options.include_content,
            "kind": {"llm": "model", "net": "hosts"}.get(options.scope, "crew"),
            "model": dict(options.model),
            "hosts": list(options.hosts),
            "announce": {"llm": "read which model is asked for", "net": "read which hosts are asked for"}.get(
                options.scope, "load the crew"
            ),
            "deadline": min(LOADS_WITHIN, options.deadline / 2),
        }


def find_project(options: Options) -> Project:
    """Resolve the target: a file, a folder, `package.module:name`; without one, the project around this folder.

    Where no target was given and there is no project, it is a minimal crew of ours on the model the environment names.
    Raises Refusal when it names nothing that exists.
    """
    if not options.target:
        try:
            return _project(options, target_in(Path.cwd(), upwards=True))
        except NoProject:
            here = workplace(options)
            return Project(str(MINIMAL), here.root, here.python, here.environment)
    text, name = _split(options.target)
    path = Path(text).expanduser()
    if path.is_dir():
        return _project(options, target_in(path.resolve()), name)
    if path.exists():
        return _project(options, str(path.resolve()), name)
    if _MODULE.match(text) and (name or "." in text) and not text.endswith((".py", ".json", ".jsonc", ".yaml", ".yml")):
        root = _root(Path.cwd() / "here")
        return Project(options.target, root, find_interpreter(options.python, root), dict(os.environ))
    raise Refusal(f"{text}: no such file; {_way_out(options)}", USAGE)


def _way_out(options: Options) -> str:
    """What to type instead: a project's folder stands for its crew."""
    with suppress(Refusal):
        target_in(Path.cwd())
        return f"this project's crew is found by its folder: `{options.command('.')}`"
    return f"give the file that defines the crew, e.g. `{options.command('crew.py')}`"


def _project(options: Options, target: str, name: str = "") -> Project:
    """`target`: what was found; `name`: what the user chose in it, which wins."""
    text, given = _split(target)
    root = _root(Path(text))
    chosen = name or given
    return Project(
        f"{text}:{chosen}" if chosen else text, root, find_interpreter(options.python, root), dict(os.environ)
    )


def _root(file: Path) -> Path:
    return next(
        (folder for folder in file.parents if any((folder / mark).is_file() for mark in ROOT_MARKS)), file.parent
    )


def workplace(options: Options) -> Project:
    """Where a command without a target works: this folder, and the interpreter a crew here would run in."""
    root = Path.cwd()
    return Project("", root, find_interpreter(options.python, root), dict(os.environ))


def _split(target: str) -> tuple[str, str]:
    """`crew.py:name` to its two halves; a path may hold colons."""
    head, colon, name = target.rpartition(":")
    if colon and name.isidentifier() and not Path(target).exists():
        return head, name
    return target, ""


__all__ = ["MINIMAL", "NoProject", "Project", "find_project", "workplace"]
