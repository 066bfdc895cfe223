"""Exceptions of a load, explained: one sentence, one way out, the user's own line."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any

from crewdoctor.model.setting import Location
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.peers import Peers
from crewdoctor.worker.project_paths import Place
from crewdoctor.worker.socks_reason import socks_extra
from crewdoctor.worker.source_place import place as place_of
from crewdoctor.worker.source_place import shown, users_place

_INSTALLED_AS = {
    "bs4": "beautifulsoup4",
    "crewai_tools": "'crewai[tools]'",
    "cv2": "opencv-python",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "google.genai": "google-genai",
    "PIL": "pillow",
    "psycopg2": "psycopg2-binary",
    "serpapi": "google-search-results",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Import name to package name, where they differ by more than a hyphen."""
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
_VARIABLE = re.compile(r"\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:KEY|TOKEN|SECRET|URL|HOST|ID|ENDPOINT))\b")
_EXTRA = re.compile(r"crewai\[([\w-]+)\]")
_CONNECTS = re.compile(r"connect|timeout|timed out|resolve|ssl|certificate|unreachable|proxy", re.IGNORECASE)


def explain(error: BaseException, place: Place, peers: Peers) -> TargetDoesNotLoad:
    """Turn whatever a load raised into a TargetDoesNotLoad."""
    where = users_place(error.__traceback__)
    for each in _chain(error):
        found = _known(each, where)
        if found is not None:
            return found
    if peers.last and any(_is_about_the_wire(each) for each in _chain(error)):
        return TargetDoesNotLoad(
            "contacts",
            f"it contacts {peers.last} while it is imported{_at(where)}, and that fails: {_words(error)}",
            _reach_it(peers),
            location=where,
        )
    return TargetDoesNotLoad("raises", f"it raises {_words(error)}{_at(where)}", _try_it(place), location=where)


def deadline_passed(peers: Peers, where: Location | None, seconds: float) -> TargetDoesNotLoad:
    """Still importing when our deadline came."""
    if peers.last:
        return TargetDoesNotLoad(
            "contacts",
            f"after {seconds:.0f} s of importing it still waits for {peers.last}{_at(where)}",
            _reach_it(peers),
            location=where,
        )
    return TargetDoesNotLoad(
        "deadline",
        f"after {seconds:.0f} s it is still being imported{_at(where)}",
        "move the work into a function or tool so that it runs at kickoff",
        location=where,
    )


def _known(error: BaseException, where: Location | None) -> TargetDoesNotLoad | None:
    if isinstance(error, TargetDoesNotLoad):
        return error
    if isinstance(error, SyntaxError):
        return _syntax(error)
    if isinstance(error, ImportError):
        return socks_extra(error, where) or _import_error(error, where)
    if isinstance(error, KeyError) and _raised_in_environ(error.__traceback__):
        name = str(error.args[0]) if error.args else "?"
        return _missing_variable(name, where)
    if isinstance(error, EOFError) and "reading a line" in str(error):
        return TargetDoesNotLoad(
            "reads_stdin",
            f"it reads from standard input while it is imported{_at(where)}",
            'move it under `if __name__ == "__main__":`, or name the object or function: crew.py:name',
            location=where,
        )
    if isinstance(error, SystemExit):
        said = f" ({error.code})" if error.code not in (None, 0) else ""
        return TargetDoesNotLoad(
            "exits",
            f"it calls sys.exit while it is loaded{_at(where)}{said}",
            "name the object or function that holds the crew: crew.py:name",
            location=where,
        )
    if isinstance(error, FileNotFoundError) and error.filename:
        return TargetDoesNotLoad(
            "missing_file",
            f"it needs the file {error.filename}, which is not there{_at(where)}",
            f"paths are relative to {Path.cwd()}, the folder `crewai run` starts in",
            location=where,
        )
    if type(error).__name__ == "ValidationError" and hasattr(error, "errors"):
        return _validation(error, where)
    return socks_extra(error, where) or _variable_in_text(error, where)


def _syntax(error: SyntaxError) -> TargetDoesNotLoad:
    file, line = error.filename or "?", error.lineno or 0
    return TargetDoesNotLoad(
        "syntax",
        f"syntax error at {shown(file)}:{line}: {error.msg}",
        f"correct it (Python {sys.version.split()[0]} reads it)",
        location=place_of(file, line),
    )


def _import_error(error: ImportError, where: Location | None) -> TargetDoesNotLoad | None:
    text, name = str(error), error.name or ""
    if "attempted relative import" in text:
        return TargetDoesNotLoad(
            "raises",
            f"it uses a relative import{_at(where)}, but its folder is no package",
            "add an `__init__.py` to the folder, or import by plain name",
            location=where,
        )
    extra = _EXTRA.search(text)
    if extra is not None and not isinstance(error, ModuleNotFoundError):
        first = text.splitlines()[0].removeprefix("Error importing native provider: ")
        return TargetDoesNotLoad(
            "missing_package", f"{first.rstrip('.')}{_at(where)}", f"pip install 'crewai[{extra[1]}]'", location=where
        )
    if isinstance(error, ModuleNotFoundError) and name and not name.startswith("crewai."):
        top = name.split(".", 1)[0]
        if name == "crewai":
            return TargetDoesNotLoad(
                "missing_package",
                f"crewai is not installed in {sys.executable}",
                "name the interpreter that has it: --python .venv/bin/python",
                location=where,
            )
        package = _INSTALLED_AS.get(name) or _INSTALLED_AS.get(top) or top.replace("_", "-")
        return TargetDoesNotLoad(
            "missing_package",
            f"it needs the package `{top}`, which is not installed{_at(where)}",
            f"pip install {package} (into {sys.executable}), or fix the import if `{top}` is a module of your own",
            location=where,
        )
    if name.split(".", 1)[0] in ("crewai", "crewai_tools", "crewai_core"):
        return _moved(text, name, where)
    return None


def _moved(text: str, module: str, where: Location | None) -> TargetDoesNotLoad:
    missing = re.search(r"cannot import name '([^']+)'", text)
    wanted = missing[1] if missing else ""
    here = f"crewai {_version('crewai')}"
    written = f"from {module} import {wanted}" if wanted else f"import {module}"
    home = _home_of(wanted, module) if wanted else ""
    way_out = (
        f"it lives in `{home}` now: from {home} import {wanted}"
        if home
        else "adapt it, or install the crewai it was written for"
    )
    return TargetDoesNotLoad(
        "other_version",
        f"it was written for another crewai version: `{written}` does not exist in {here}{_at(where)}",
        way_out,
        location=where,
    )


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


def _validation(error: Any, where: Location | None) -> TargetDoesNotLoad:
    problems = error.errors(include_url=False)
    first = problems[0] if problems else {"loc": (), "msg": str(error)}
    field = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ").splitlines()[0]
    about = f"`{field}`: {message}" if field else message
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    variable = _VARIABLE.search(message)
    if variable is not None:
        return _missing_variable(variable[1], where)
    if str(error.title) in ("Agent", "Task", "Crew", "LLM", "BaseTool") or "Completion" in str(error.title):
        return TargetDoesNotLoad(
            "other_version" if first.get("type") in ("missing", "extra_forbidden", "is_instance_of") else "raises",
            f"crewai {_version('crewai')} does not accept this {error.title}{_at(where)}: {about}{more}",
            "adapt it to this version of crewai, or install the one it was written for",
            location=where,
        )
    return TargetDoesNotLoad(
        "raises", f"{error.title} refuses its values{_at(where)}: {about}{more}", "correct them", location=where
    )


def _missing_variable(name: str, where: Location | None) -> TargetDoesNotLoad:
    return TargetDoesNotLoad(
        "missing_variable",
        f"it needs the environment variable {name}, which is not set{_at(where)}",
        f"export {name}=..., or put it into .env",
        location=where,
        variable=name,
    )


def _variable_in_text(error: BaseException, where: Location | None) -> TargetDoesNotLoad | None:
    found = _VARIABLE.search(str(error)) if isinstance(error, Exception) else None
    return _missing_variable(found[1], where) if found is not None and not os.environ.get(found[1]) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from or while handling."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _raised_in_environ(traceback: TracebackType | None) -> bool:
    last = None
    while traceback is not None:
        last, traceback = traceback, traceback.tb_next
    return last is not None and Path(last.tb_frame.f_code.co_filename).name == "os.py"


def _is_about_the_wire(error: BaseException) -> bool:
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    if isinstance(error, OSError) and type(error).__module__ in ("socket", "ssl"):
        return True
    return bool(_CONNECTS.search(type(error).__name__) or _CONNECTS.search(str(error)))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(unknown version)"


def _words(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _at(where: Location | None) -> str:
    return f" ({shown(where.file)}:{where.line})" if where is not None else ""


def _reach_it(peers: Peers) -> str:
    return f"make {peers.last} reachable from here, or move the call into a function or tool so that it runs at kickoff"


def _try_it(place: Place) -> str:
    return f"see the whole traceback with: {Path(sys.executable).name} {place.shown}"
