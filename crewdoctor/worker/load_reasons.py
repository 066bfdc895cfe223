"""Exceptions of a load, explained: one sentence, one way out, the user's own line."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from crewdoctor.model.setting import Location
from crewdoctor.worker.builders import nameable
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.obstacles import EndsProcess, KeepsAsking, Obstacles, StartsServer
from crewdoctor.worker.other_version import brought_once, moved, not_accepted
from crewdoctor.worker.peers import Peers
from crewdoctor.worker.project_paths import Place
from crewdoctor.worker.socks_reason import socks_extra
from crewdoctor.worker.source_place import at, shown, users_place
from crewdoctor.worker.source_place import place as place_of
from crewdoctor.worker.swallowed import swallowed

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
VARIABLE = re.compile(r"\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:KEY|TOKEN|SECRET|URL|HOST|ID|ENDPOINT))\b")
_FALLBACK = re.compile(r"Fallback to (LiteLLM) is not available")
_EXTRA = re.compile(r"crewai\[([\w-]+)\]")
ANY_NAME = "crew.py:name"
_CONNECTS = re.compile(r"connect|timeout|timed out|resolve|ssl|certificate|unreachable|proxy", re.IGNORECASE)


def explain(error: BaseException, place: Place, peers: Peers, obstacles: Obstacles) -> TargetDoesNotLoad:
    """Turn whatever a load raised into a TargetDoesNotLoad."""
    where = users_place(error.__traceback__)
    if isinstance(error, EndsProcess):
        return TargetDoesNotLoad(
            "exits",
            f"it calls {error} while it is loaded{at(where)}",
            f"name the object or function: {nameable(place) or ANY_NAME}",
            location=where,
        )
    if isinstance(error, SystemExit) and not obstacles.prompts:
        said = f" ({error.code})" if error.code not in (None, 0) else ""
        return TargetDoesNotLoad(
            "exits",
            f"it calls sys.exit while it is loaded{at(where)}{said}",
            f"name the object or function that holds the crew: {nameable(place) or ANY_NAME}",
            location=where,
        )
    if isinstance(error, StartsServer):
        return TargetDoesNotLoad(
            "serves",
            f"it starts a server on {error} while it is loaded{at(where)}",
            _under_main(place),
            location=where,
        )
    found = _unanswered(error, where, place, obstacles) or known_reason(error)
    if found is None and (hidden := swallowed(error)) is not None:
        found = known_reason(hidden, where)
        error = hidden
    if found is not None:
        return found
    if peers.last and any(_is_about_the_wire(each) for each in _chain(error)):
        return TargetDoesNotLoad(
            "contacts",
            f"it contacts {peers.last} while it is imported{at(where)}, and that fails: {_words(error)}",
            _reach_it(peers),
            location=where,
        )
    return TargetDoesNotLoad("raises", f"it raises {_words(error)}{at(where)}", _try_it(place), location=where)


def known_reason(error: BaseException, where: Location | None = None) -> TargetDoesNotLoad | None:
    """The reason of an error that says by itself what is missing; None for any other. `where`: else its own place."""
    where = where or users_place(error.__traceback__)
    found = (_known(each, where) for each in _chain(error))
    return next((each for each in found if each is not None), None)


def _unanswered(
    error: BaseException, where: Location | None, place: Place, obstacles: Obstacles
) -> TargetDoesNotLoad | None:
    """It asks somebody: `input()`, or click, whose Abort hides what it is about in its context."""
    chain = list(_chain(error))
    aborts = [each for each in chain if type(each).__name__ == "Abort" and "click" in type(each).__module__]
    for each in aborts:
        package = next((held for held in _contexts(each) if isinstance(held, ModuleNotFoundError)), None)
        if package is not None:
            return _import_error(package, where)
    waits = any(
        isinstance(each, EOFError) and ("reading a line" in str(each) or _raised_in("getpass.py", each.__traceback__))
        for each in chain
    )
    if not waits and not aborts and not isinstance(error, (KeepsAsking, SystemExit)):
        return None
    asked = obstacles.prompts[-1][0] if obstacles.prompts else ""
    return TargetDoesNotLoad(
        "reads_stdin",
        f"it reads from standard input while it is loaded{f' ({asked!r})' if asked else ''}{at(where)}",
        _under_main(place),
        location=where,
    )


def _contexts(error: BaseException) -> Iterator[BaseException]:
    """What an error was raised while handling, said or unsaid."""
    held = error.__context__
    while held is not None:
        yield held
        held = held.__context__


def deadline_passed(peers: Peers, where: Location | None, seconds: float) -> TargetDoesNotLoad:
    """Still importing when our deadline came."""
    if peers.last:
        return TargetDoesNotLoad(
            "contacts",
            f"after {seconds:.0f} s of loading it still waits for {peers.last}{at(where)}",
            _reach_it(peers),
            location=where,
        )
    return TargetDoesNotLoad(
        "deadline",
        f"after {seconds:.0f} s it is still being loaded{at(where)}",
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
    if isinstance(error, KeyError) and _raised_in("os.py", error.__traceback__):
        name = str(error.args[0]) if error.args else "?"
        return _missing_variable(name, where)
    if isinstance(error, FileNotFoundError) and error.filename:
        return TargetDoesNotLoad(
            "missing_file",
            f"it needs the file {error.filename}, which is not there{at(where)}",
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
            f"it uses a relative import{at(where)}, but its folder is no package",
            "add an `__init__.py` to the folder, or import by plain name",
            location=where,
        )
    extra = _EXTRA.search(text) or _FALLBACK.search(text)
    if extra is not None and not isinstance(error, ModuleNotFoundError):
        first = text.splitlines()[0].removeprefix("Error importing native provider: ")
        return TargetDoesNotLoad(
            "missing_package",
            f"{first.rstrip('.')}{at(where)}",
            f"pip install 'crewai[{extra[1].lower()}]'",
            location=where,
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
            f"it needs the package `{top}`, which is not installed{at(where)}{brought_once(top)}",
            f"pip install {package} (into {sys.executable}), or fix the import if `{top}` is a module of your own",
            location=where,
        )
    if name.split(".", 1)[0] in ("crewai", "crewai_tools", "crewai_core"):
        return moved(error, where)
    return None


def _validation(error: Any, where: Location | None) -> TargetDoesNotLoad:
    problems = error.errors(include_url=False)
    first = problems[0] if problems else {"loc": (), "msg": str(error)}
    field = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ").splitlines()[0]
    about = f"`{field}`: {message}" if field else message
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    variable = VARIABLE.search(message)
    if variable is not None:
        return _missing_variable(variable[1], where)
    if str(error.title) in ("Agent", "Task", "Crew", "LLM", "BaseTool") or "Completion" in str(error.title):
        return not_accepted(error, f"{about}{more}", where)
    return TargetDoesNotLoad(
        "raises", f"{error.title} refuses its values{at(where)}: {about}{more}", "correct them", location=where
    )


def _missing_variable(name: str, where: Location | None) -> TargetDoesNotLoad:
    return TargetDoesNotLoad(
        "missing_variable",
        f"it needs the environment variable {name}, which is not set{at(where)}",
        f"export {name}=..., or put it into .env",
        location=where,
        variable=name,
    )


def _variable_in_text(error: BaseException, where: Location | None) -> TargetDoesNotLoad | None:
    found = VARIABLE.search(str(error)) if isinstance(error, Exception) else None
    return _missing_variable(found[1], where) if found is not None and not os.environ.get(found[1]) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from or while handling."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _raised_in(file: str, traceback: TracebackType | None) -> bool:
    """Whether a file of Python's own raised it."""
    last = None
    while traceback is not None:
        last, traceback = traceback, traceback.tb_next
    return last is not None and Path(last.tb_frame.f_code.co_filename).name == file


def _is_about_the_wire(error: BaseException) -> bool:
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    if isinstance(error, OSError) and type(error).__module__ in ("socket", "ssl"):
        return True
    return bool(_CONNECTS.search(type(error).__name__) or _CONNECTS.search(str(error)))


def _words(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _reach_it(peers: Peers) -> str:
    return f"make {peers.last} reachable from here, or move the call into a function or tool so that it runs at kickoff"


def _under_main(place: Place) -> str:
    return f'move it under `if __name__ == "__main__":`, or name the object or function: {nameable(place) or ANY_NAME}'


def _try_it(place: Place) -> str:
    name = nameable(place)
    other = f", or name what holds the crew: {name}" if name and not place.name else ""
    return f"see the whole traceback with: {Path(sys.executable).name} {place.shown}{other}"
