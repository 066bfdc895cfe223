"""Load the target: find its crew without running it.

The module is imported as `crewai run` would import it, with every kickoff intercepted; `ways` says where the crew is
looked for. Whatever goes wrong is a TargetDoesNotLoad: a sentence and a way out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from traceback import walk_tb
from typing import Any

from crewdoctor.wire.redact import learn_environment
from crewdoctor.worker.capture import intercepted
from crewdoctor.worker.construction import Constructions, watched
from crewdoctor.worker.definitions import crew_of_definition
from crewdoctor.worker.found import Found
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.load_reasons import explain
from crewdoctor.worker.lock_store import file_locks
from crewdoctor.worker.obstacles import Obstacles, survived
from crewdoctor.worker.peers import Peers, noted_peers
from crewdoctor.worker.project_paths import Place, enter, locate
from crewdoctor.worker.quietly import flows_without_memory, silent_bus
from crewdoctor.worker.secrets_held import learn_modules
from crewdoctor.worker.source_place import is_users
from crewdoctor.worker.ways import Search

_DEFAULT_KEY = "OPENAI_API_KEY"
STAND_IN_KEY = "your-key-is-not-set"
"""What a missing key is replaced with; `providers` never take a `your...` for a usable key."""


@dataclass(slots=True)
class Target:
    """A crew, loaded."""

    found: Found
    place: Place
    constructions: Constructions
    dotenv: dict[str, int] = field(default_factory=dict)
    """Variables `.env` sets, with their lines."""
    stand_ins: tuple[str, ...] = ()
    """Variables of keys nobody set, filled with STAND_IN_KEY so that the crew could be built."""

    @property
    def crew(self) -> Any:
        """The live crew."""
        return self.found.crew


def load(target: str, project_root: str, *, inputs: Mapping[str, Any] | None = None, stand_ins: bool = False) -> Target:
    """Load `file[:name]`, `package.module[:name]` or a definition. Raises TargetDoesNotLoad.

    `inputs`: what the user gives; factories and Flows that ask for a name among them get it.
    `stand_ins`: where crewai refuses to build a model without its provider's key, load again with a key that says what
    it is: the embedded endpoint needs none, and no such key counts as usable.
    """
    place = locate(target, project_root)
    if place is None:
        raise TargetDoesNotLoad(
            "missing_file", f"{target}: no such file or module", "give the file that defines the crew", usage=True
        )
    dotenv = enter(place)
    learn_environment(os.environ)
    standing_in: list[str] = []
    while True:
        before = set(sys.modules)
        try:
            loaded = _load_once(place, inputs or {})
        except TargetDoesNotLoad as failure:
            name = _missing_key(failure) or _swallowed_key(failure)
            if not stand_ins or not name or name in standing_in:
                raise
            standing_in.append(name)
            os.environ[name] = STAND_IN_KEY
            _forget_modules(before)
            continue
        loaded.dotenv, loaded.stand_ins = dotenv, tuple(standing_in)
        return loaded


def _load_once(place: Place, inputs: Mapping[str, Any]) -> Target:
    with noted_peers() as peers, survived() as obstacles:
        try:
            import crewai  # noqa: F401 - absent or broken, it is explained like any package
        except BaseException as error:
            raise explain(error, place, peers, obstacles) from error
        with (
            watched() as constructions,
            intercepted() as interception,
            file_locks(),
            silent_bus(),
            flows_without_memory(),
        ):
            find: Callable[[], Found]
            if place.is_definition:
                find = partial(crew_of_definition, place, inputs, interception)
            else:
                find = Search(place, inputs, interception, constructions).crew
            try:
                found = _guarded(find, place, peers, obstacles)
            finally:
                learn_modules()
                learn_environment(os.environ)
    return Target(found, place, constructions)


def _missing_key(failure: TargetDoesNotLoad) -> str:
    """The provider's key crewai asked for; variables the user's own code reads are the user's to set."""
    in_crewai = not isinstance(failure.__cause__, KeyError)
    name = failure.variable if failure.kind == "missing_variable" else ""
    return name if in_crewai and name.endswith("_API_KEY") else ""


def _swallowed_key(failure: TargetDoesNotLoad) -> str:
    """The default provider's key, where crewai (1.0) made no model for want of it and then trips over having none."""
    cause = failure.__cause__
    if not isinstance(cause, AttributeError) or "'NoneType'" not in str(cause) or os.environ.get(_DEFAULT_KEY):
        return ""
    innermost = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(cause.__traceback__)][-1:]
    return _DEFAULT_KEY if any(str(name).partition(".")[0] == "crewai" for name in innermost) else ""


def _forget_modules(before: set[str]) -> None:
    """Drop the user's own modules of a failed attempt: the next one imports them afresh."""
    for name in set(sys.modules) - before:
        if is_users(getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


def _guarded(find: Callable[[], Found], place: Place, peers: Peers, obstacles: Obstacles) -> Found:
    try:
        return find()
    except (TargetDoesNotLoad, KeyboardInterrupt):
        raise
    except BaseException as error:
        with suppress(OSError):
            os.chdir(obstacles.folder)  # where it went itself must not change how its files are named
        raise explain(error, place, peers, obstacles) from error
