"""Which Python runs the crew: the first that holds crewai, looked for where projects keep their environments.

Nothing is started to find out: an environment holds crewai when the package lies in its site-packages.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from crewdoctor.model.refusal import USAGE, Refusal

_FOLDERS = (".venv", "venv")
_NAMED_BY = ("VIRTUAL_ENV", "CONDA_PREFIX")
_REPOSITORY = (".git", "uv.lock")
_PACKAGES = ("lib*/python*/*-packages/crewai", "local/lib/python*/*-packages/crewai")


def find_interpreter(python: str, root: Path, environment: Mapping[str, str] = os.environ) -> str:
    """`--python`, else the environment of the project, else the shell's, else ours, else the Python on the path.

    Of these the first that holds crewai; where none does, the one a user would look into first. Raises Refusal.
    """
    if python:
        return _given(python)
    usable = [folder for folder in _environments(root, environment) if _python_of(folder)]
    holding = next((folder for folder in usable if _holds_crewai(folder)), None)
    if holding is not None:
        return _python_of(holding)
    if any((Path(entry) / "crewai").is_dir() for entry in sys.path if entry):
        return sys.executable
    for name in ("python", "python3"):
        found = shutil.which(name, path=environment.get("PATH"))
        if found and _holds_crewai(Path(found).parent.parent):
            return found
    return _python_of(usable[0]) if usable else sys.executable


def _given(python: str) -> str:
    """An executable's path or name, or the folder of an environment."""
    for path in (python, _python_of(Path(python)), shutil.which(python) or ""):
        if path and Path(path).is_file() and os.access(path, os.X_OK):
            return path
    raise Refusal(f"--python {python}: not an interpreter; give the path of a python executable", USAGE)


def _environments(root: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """The project's own, the folder's we stand in, the shell's, and those between the project and its repository."""
    for folder in dict.fromkeys((root, Path.cwd())):
        yield from (folder / name for name in _FOLDERS)
    yield from (Path(environment[name]) for name in _NAMED_BY if environment.get(name))
    above = [root, *root.parents]
    top = next((at for at, folder in enumerate(above) if any((folder / mark).exists() for mark in _REPOSITORY)), 0)
    yield from (folder / name for folder in above[1 : top + 1] for name in _FOLDERS)


def _python_of(folder: Path) -> str:
    held = folder / "bin" / "python"
    return str(held) if os.access(held, os.X_OK) else ""


def _holds_crewai(folder: Path) -> bool:
    return any(True for pattern in _PACKAGES for _ in folder.glob(pattern))
