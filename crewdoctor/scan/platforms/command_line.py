"""Limits on a command line: gunicorn's, celery's, and `timeout` of coreutils.

Sources: gunicorn 23 documentation, "Settings": `timeout` kills a sync worker that is silent; with threads or an
asynchronous worker class it bounds a request no more. celery 5.5: `--time-limit`, `--soft-time-limit`. coreutils:
`timeout [OPTION] DURATION COMMAND`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import PurePath

from crewdoctor.model.setting import UNKNOWN, Seconds, Timeout
from crewdoctor.scan.platforms.limit import seconds

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)\Z")
_VALUED = frozenset({"-k", "--kill-after", "-s", "--signal"})


def words(command: str) -> list[str]:
    """The words of a command line; of one that quotes badly its parts between blanks."""
    try:
        return shlex.split(command, comments=True)
    except ValueError:
        return command.split()


def limits_of(command: list[str]) -> Iterator[tuple[str, str, Timeout]]:
    """Platform, name and limit of each program in a command that ends what it runs."""
    for index, word in enumerate(command):
        program, rest = PurePath(word).name, _until_next(command[index + 1 :])
        if program == "gunicorn":
            given = _option(rest, "--timeout", "-t")
            if given and killed_by_timeout(_option(rest, "--worker-class", "-k"), _option(rest, "--threads")):
                yield "gunicorn", "--timeout", seconds(given)
        elif program == "celery":
            given = _option(rest, "--time-limit")
            if given:
                yield "celery", "--time-limit", seconds(given)
        elif program == "timeout":
            yield from ((program, program, held) for held in _coreutils(rest))


def killed_by_timeout(worker_class: str, threads: str) -> bool:
    """Whether gunicorn's `timeout` ends a request that goes on: of sync workers with one thread alone."""
    return worker_class.rpartition(".")[2] in ("", "sync", "SyncWorker") and threads in ("", "1")


def _until_next(rest: list[str]) -> list[str]:
    ends = [index for index, word in enumerate(rest) if word in ("&&", "||", ";", "|", "&")]
    return rest[: min(ends, default=len(rest))]


def _option(rest: list[str], *names: str) -> str:
    for index, word in enumerate(rest):
        name, equals, value = word.partition("=")
        if name in names:
            return value if equals else "".join(rest[index + 1 : index + 2])
    return ""


def _coreutils(rest: list[str]) -> Iterator[Timeout]:
    skip = False
    for word in rest:
        if skip or word.startswith("-"):
            skip = word in _VALUED
            continue
        found = _DURATION.match(word)
        if found:
            yield Seconds(float(found[1]) * _UNITS[found[2]])
        elif word.startswith("$"):
            yield UNKNOWN
        return
