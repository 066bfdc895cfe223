"""Working folder, sys.path, arguments and `.env` as `crewai run` would have them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DEFINITIONS = frozenset({".json", ".jsonc", ".yaml", ".yml"})
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """A target on disk, and how Python would import it."""

    file: Path
    module: str
    """Dotted package name where the `__init__.py` chain gives one, else the stem."""
    package: bool
    """Whether it lies in a package: then relative imports work."""
    name: str
    """What the user chose after the colon, or an empty string."""
    root: Path

    @property
    def is_definition(self) -> bool:
        """Whether it is a JSON or YAML definition instead of a Python file."""
        return self.file.suffix.lower() in DEFINITIONS

    @property
    def shown(self) -> str:
        """The file from the project's folder on."""
        return os.path.relpath(self.file, self.root) if self.file.is_relative_to(self.root) else str(self.file)


def locate(target: str, project_root: str) -> Place | None:
    """Resolve `file[:name]` or `package.module[:name]`; None when there is no such file or module."""
    text, name = target, ""
    if not Path(text).exists():
        head, colon, tail = target.rpartition(":")
        if colon:
            text, name = head, tail
    file = Path(text)
    if not file.is_absolute():
        file = Path(project_root or ".") / file
    if not file.is_file() and _MODULE.match(text):
        file = _module_file(text, Path(project_root or ".")) or file
    if not file.is_file():
        return None
    file = file.resolve()
    parts, folder = [file.stem], file.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    if file.stem == "__init__":
        parts.pop()
    named = text.split(".")
    if _MODULE.match(text) and len(named) > len(parts) and named[-len(parts) :] == parts:
        parts = named  # a namespace package has no `__init__.py`; the dotted name says what it is
    root = Path(project_root).resolve() if project_root else _root(file)
    return Place(file, ".".join(parts), len(parts) > 1 or file.stem == "__init__", name, root)


def _module_file(name: str, root: Path) -> Path | None:
    """The file of a dotted module: in the project first, then wherever this interpreter finds modules."""
    for base in (root, root / "src", *(Path(entry) for entry in sys.path if entry)):
        for file in _files_of(base.joinpath(*name.split("."))):
            if file.is_file():
                return file
    return None


def _files_of(stem: Path) -> Iterator[Path]:
    yield stem / "__init__.py"
    yield stem.with_name(f"{stem.name}.py")


def _root(file: Path) -> Path:
    return next((folder for folder in file.parents if (folder / "pyproject.toml").is_file()), file.parent)


def enter(place: Place) -> dict[str, int]:
    """Become the process `crewai run` would start; variables set from `.env`, with their lines."""
    os.chdir(place.root)
    sys.argv = [str(place.file)]
    package_parent = place.file.parents[place.module.count(".") + (place.file.stem == "__init__")]
    wanted = [package_parent, place.root / "src", place.root] if place.package else [place.file.parent]
    wanted += [place.root / "src", place.root, place.file.parent]
    if not place.file.is_relative_to(place.root):
        wanted = [each for each in wanted if str(each) not in sys.path]  # an installed package stays where it is found
    paths = list(dict.fromkeys(str(folder) for folder in wanted if folder.is_dir()))
    sys.path[:] = paths + [each for each in sys.path if each not in (*paths, "")]
    return load_environment(place.root / ".env")


def load_environment(file: Path) -> dict[str, int]:
    """Load a `.env` as crewai does, over what is set already; the variables it sets, with their lines."""
    if not file.is_file():
        return {}
    try:
        from dotenv import load_dotenv
    except ImportError:
        return {}
    load_dotenv(file, override=True)
    return lines_of(file)


def lines_of(file: Path) -> dict[str, int]:
    """Return the variables a `.env` sets, with their lines; none where there is no such file."""
    found: dict[str, int] = {}
    if not file.is_file():
        return found
    for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
        name = line.partition("=")[0].strip().removeprefix("export ").strip()
        if name and not name.startswith("#") and "=" in line:
            found[name] = number
    return found
