"""Load the target: find its crew without running it.

The module is imported as `crewai run` would import it, with every kickoff intercepted. Where it offers no crew it is
run as `__main__`, intercepted too. Whatever goes wrong is a TargetDoesNotLoad: a sentence and a way out.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from crewdoctor.wire.redact import learn_environment
from crewdoctor.worker.candidates import Candidate, named, offered
from crewdoctor.worker.capture import Captured, KickoffCaptured, intercepted
from crewdoctor.worker.construction import Constructions, watched
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.load_reasons import explain
from crewdoctor.worker.peers import Peers, noted_peers
from crewdoctor.worker.project_paths import Place, enter, locate
from crewdoctor.worker.secrets_held import learn_modules
from crewdoctor.worker.source_place import is_users

STAND_IN_KEY = "your-key-is-not-set"
"""What a missing key is replaced with; `providers` never take a `your...` for a usable key."""


@dataclass(slots=True)
class Target:
    """A crew, loaded."""

    crew: Any
    shape: str
    """`module`, `crewbase`, `factory`, `kickoff captured`."""
    name: str
    place: Place
    constructions: Constructions
    captured: dict[str, Any] = field(default_factory=dict)
    """Inputs the script itself gives its crew."""
    dotenv: dict[str, int] = field(default_factory=dict)
    """Variables `.env` sets, with their lines."""
    stand_ins: tuple[str, ...] = ()
    """Variables of keys nobody set, filled with STAND_IN_KEY so that the crew could be built."""


def load(target: str, project_root: str, *, stand_ins: bool = False) -> Target:
    """Load `file[:name]`. Raises TargetDoesNotLoad.

    `stand_ins`: where crewai refuses to build a model without its provider's key, load again with a key that says what
    it is: the embedded endpoint needs none, and no such key counts as usable.
    """
    place = locate(target, project_root)
    if place is None:
        raise TargetDoesNotLoad(
            "missing_file", f"{target}: no such file", "give the file that defines the crew", usage=True
        )
    dotenv = enter(place)
    learn_environment(os.environ)
    standing_in: list[str] = []
    while True:
        before = set(sys.modules)
        try:
            loaded = _load_once(place)
        except TargetDoesNotLoad as failure:
            name = _missing_key(failure)
            if not stand_ins or not name or name in standing_in:
                raise
            standing_in.append(name)
            os.environ[name] = STAND_IN_KEY
            _forget_modules(before)
            continue
        loaded.dotenv, loaded.stand_ins = dotenv, tuple(standing_in)
        return loaded


def _load_once(place: Place) -> Target:
    with noted_peers() as peers:
        try:
            import crewai  # noqa: F401 - absent or broken, it is explained like any package
        except BaseException as error:
            raise explain(error, place, peers) from error
        with watched() as constructions, intercepted() as seen:
            try:
                crew, shape, name, captured = _guarded(lambda: _find(place, seen), place, peers)
            finally:
                learn_modules()
                learn_environment(os.environ)
    return Target(crew, shape, name, place, constructions, captured)


def _missing_key(failure: TargetDoesNotLoad) -> str:
    """The provider's key crewai asked for; variables the user's own code reads are the user's to set."""
    in_crewai = not isinstance(failure.__cause__, KeyError)
    name = failure.variable if failure.kind == "missing_variable" else ""
    return name if in_crewai and name.endswith("_API_KEY") else ""


def _forget_modules(before: set[str]) -> None:
    """Drop the user's own modules of a failed attempt: the next one imports them afresh."""
    for name in set(sys.modules) - before:
        if is_users(getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


def _find(place: Place, seen: list[Captured]) -> tuple[Any, str, str, dict[str, Any]]:
    namespace, stopped = _import(place)
    if stopped is None and seen:
        stopped = seen[-1]  # the script caught the interception and went on
    if place.name:
        if stopped is not None and place.name not in namespace:
            raise TargetDoesNotLoad(
                "no_such_name",
                f"`{place.name}` is not there yet when {place.shown} kicks its crew off at import",
                'move the kickoff under `if __name__ == "__main__":`',
                usage=True,
            )
        chosen = named(namespace, place.name)
        crew = chosen.make()
        return crew, chosen.shape, place.name, _captured_inputs(stopped, crew)
    if stopped is not None:
        return _of_captured(stopped, place, namespace)
    candidates = offered(namespace, namespace.get("__name__", ""))
    if not candidates:
        return _of_captured(_run_as_main(place, seen), place)
    if len(candidates) > 1:
        raise _several(candidates, place)
    crew = candidates[0].make()
    return crew, candidates[0].shape, candidates[0].names[0], {}


def _several(candidates: list[Candidate], place: Place) -> TargetDoesNotLoad:
    names = [each.names[0] for each in candidates]
    listed = ", ".join(f"`{each}`" for each in names)
    return TargetDoesNotLoad(
        "several_crews",
        f"{place.shown} has {len(names)} crews: {listed}",
        f"choose one: {place.shown}:{names[0]}",
        usage=True,
    )


def _of_captured(
    found: Captured | None, place: Place, namespace: dict[str, Any] | None = None
) -> tuple[Any, str, str, dict[str, Any]]:
    if found is None:
        raise TargetDoesNotLoad(
            "no_crew",
            f"{place.shown} holds no crew: no Crew object, no @CrewBase class, no function that returns one, and "
            "running it kicks none off",
            "name the function or object: crew.py:name",
        )
    if found.crew is None:
        raise TargetDoesNotLoad(
            "flow",
            f"{place.shown} kicks off `{found.other}`, which is no Crew; this version looks into crews only",
            "name the crew it runs: crew.py:name",
        )
    names = [name for name, held in (namespace or {}).items() if held is found.crew]
    return found.crew, "kickoff captured", names[0] if names else place.name, dict(found.inputs)


def _captured_inputs(found: Captured | None, crew: Any) -> dict[str, Any]:
    return dict(found.inputs) if found is not None and found.crew is crew else {}


def _import(place: Place) -> tuple[dict[str, Any], Captured | None]:
    """The module's namespace, and the kickoff that ended its import, if one did."""
    name = place.module
    if not place.package and (name in sys.modules or name in sys.stdlib_module_names):
        name = f"crewdoctor_target_{name}"
    try:
        if place.package:
            return vars(importlib.import_module(name)), None
        spec = importlib.util.spec_from_file_location(name, place.file)
        if spec is None or spec.loader is None:
            raise TargetDoesNotLoad(
                "missing_file", f"{place.shown} is not a Python file", "give the file that defines the crew", usage=True
            )
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    except KickoffCaptured as stop:
        held = sys.modules.get(name)
        return (dict(vars(held)) if held is not None else {}), stop.captured
    return vars(module), None


def _run_as_main(place: Place, seen: list[Captured]) -> Captured | None:
    before = sys.modules.get("__main__")
    try:
        if place.package:
            runpy.run_module(place.module, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(str(place.file), run_name="__main__")
    except KickoffCaptured as stop:
        return stop.captured
    except SystemExit:
        if not seen:
            raise
    finally:
        if before is not None:
            sys.modules["__main__"] = before
    return seen[-1] if seen else None


def _guarded(find: Callable[[], Any], place: Place, peers: Peers) -> Any:
    try:
        return find()
    except TargetDoesNotLoad:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise explain(error, place, peers) from error
