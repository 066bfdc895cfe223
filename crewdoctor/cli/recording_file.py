"""Where the recording of this run is kept."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from crewdoctor.model.refusal import Refusal

FOLDER = ".crewdoctor"


def recording_file(asked: Path | None) -> Path:
    """The asked file, else a new one under .crewdoctor/ here, else in the temporary folder. Raises Refusal."""
    if asked is not None:
        if not asked.absolute().parent.is_dir():
            raise Refusal(f"--recording {asked}: there is no folder {asked.absolute().parent}; create it")
        if asked.is_dir() or not os.access(asked if asked.exists() else asked.absolute().parent, os.W_OK):
            raise Refusal(f"--recording {asked}: cannot be written; give a file in a folder you may write to")
        return asked
    try:
        return _ignored_by_git(Path.cwd() / FOLDER) / _name("recording")
    except OSError:
        return temporary("recording")


def temporary(what: str) -> Path:
    """A new file in the temporary folder."""
    return Path(tempfile.gettempdir()) / _name(what if what == "recording" else f"crewdoctor-{what}")


def _name(what: str) -> str:
    return f"{what}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.jsonl"


def _ignored_by_git(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(folder)
    mark = folder / ".gitignore"
    if not mark.exists():
        mark.write_text("*\n", encoding="ascii")
    return folder
