"""One limit of a platform, and the file it is read from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Location, Seconds, Timeout


@dataclass(frozen=True, slots=True)
class Outer:
    """How long a platform lets what it runs go on."""

    platform: str
    """`gunicorn`, `celery`, `kubernetes`, ..."""
    name: str
    """As the platform calls it: `timeout`, `activeDeadlineSeconds`."""
    timeout: Timeout
    location: Location
    ends: bool = True
    """Whether it ends the crew; else it only stops waiting for it."""
    written: bool = True
    """False: the platform's own default, in a file that says nothing else."""
    whom: str = ""
    """The job, function or task it is of, where the file names several."""
    sure: bool = False
    """Whether the file says that what it limits starts this very crew."""


@dataclass(frozen=True, slots=True)
class Around:
    """A file of a project, and the crew it may run."""

    file: Path
    root: Path
    target: Path

    def text(self) -> str:
        """Its text. Raises OSError."""
        return self.file.read_text(encoding="utf-8", errors="replace")

    def at(self, line: int) -> Location:
        """A line of it, with its text."""
        lines = self.text().splitlines()
        return Location(str(self.file), line, source=lines[line - 1].strip() if 0 < line <= len(lines) else "")

    def starts_crew(self, command: str) -> bool:
        """Whether a command line names the crew: its file, its module, or `crewai run`."""
        names = {self.target.name, f"crewai run {self.target.stem}"}
        try:
            inside = self.target.relative_to(self.root).with_suffix("")
        except ValueError:
            return self.target.name in command
        parts = inside.parts[1:] if inside.parts[:1] == ("src",) else inside.parts
        words = command.replace("=", " ").replace("'", " ").replace('"', " ").split()
        module = ".".join(parts)
        return "crewai run" in command or any(
            Path(word).name in names or word == module or word.startswith(f"{module}:") for word in words
        )


def seconds(value: object, scale: float = 1.0) -> Timeout:
    """A number of seconds as it stands in a file; 0 is no limit on every platform here; anything else is UNKNOWN."""
    try:
        read = float(str(value).strip().strip("\"'").removesuffix("s"))
    except ValueError:
        return UNKNOWN
    return Seconds(read * scale) if read > 0 else UNLIMITED
