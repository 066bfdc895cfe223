"""Where the target lies, which interpreter runs it, and what its process is given. Loads nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crewdoctor.interpreter import find_interpreter
from crewdoctor.model.options import Options
from crewdoctor.model.refusal import Refusal

USAGE = 2
ROOT_MARKS = ("pyproject.toml", "crewdoctor.toml")


@dataclass(frozen=True, slots=True)
class Project:
    """A target on disk."""

    target: str
    """Absolute path, with `:name` where the user gave one."""
    root: Path
    """The folder `crewai run` would start in: the nearest one upwards with a pyproject.toml, else the file's own."""
    python: str
    environment: Mapping[str, str]

    def inspect_arguments(self, options: Options) -> dict[str, Any]:
        """What the crew worker is told. Inputs cross the pipe, not the command line."""
        return {
            "target": self.target,
            "project_root": str(self.root),
            "inputs": dict(options.inputs),
            "llm": options.llm,
            "include_content": options.include_content,
            "kind": {"llm": "model", "net": "hosts"}.get(options.scope, "crew"),
            "model": dict(options.model),
            "hosts": list(options.hosts),
            "announce": {"llm": "read which model is asked for", "net": "read which hosts are asked for"}.get(
                options.scope, "load the crew"
            ),
        }


def find_project(options: Options) -> Project:
    """Resolve the target. Raises Refusal when it names nothing that exists."""
    text, name = _split(options.target)
    path = Path(text).expanduser()
    if not path.exists():
        raise Refusal(
            f"{text}: no such file; give the file that defines the crew, e.g. `crewdoctor diagnose crew.py`", USAGE
        )
    if path.is_dir():
        raise Refusal(
            f"{text}: is a folder; give the file that defines the crew, e.g. {text.rstrip('/')}/crew.py", USAGE
        )
    path = path.resolve()
    root = next(
        (folder for folder in path.parents if any((folder / mark).is_file() for mark in ROOT_MARKS)), path.parent
    )
    return Project(
        f"{path}:{name}" if name else str(path), root, find_interpreter(options.python, root), dict(os.environ)
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
