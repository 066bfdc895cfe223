"""Flows: their own methods run, offline, until one kicks a crew off; that crew is the one they start.

Nothing of a Flow says which crew it will start with which inputs but its methods. They run as the user wrote them up to
the first kickoff, with nothing sent and nothing spent (`withholding`). What they need and cannot have is named.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from typing import Any

from crewdoctor.worker.capture import Captured, Interception, KickoffCaptured
from crewdoctor.worker.filling import arguments_for
from crewdoctor.worker.found import Candidate, Found
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.load_reasons import known_reason
from crewdoctor.worker.obstacles import KeepsAsking
from crewdoctor.worker.source_place import at, users_place
from crewdoctor.worker.withholding import Withheld, withheld

Inputs = Mapping[str, Any]


def is_flow(held: Any) -> bool:
    """Whether `held` is a Flow of the user's."""
    kind = _flow_class()
    return kind is not None and isinstance(held, kind)


def is_flow_class(held: Any) -> bool:
    """Whether `held` is a Flow class of the user's."""
    kind = _flow_class()
    own = isinstance(held, type) and not held.__module__.startswith("crewai.")
    return own and kind is not None and issubclass(held, kind)


def _flow_class() -> Any:
    try:
        from crewai.flow.flow import Flow
    except ImportError:
        return None
    return next((kind for kind in reversed(Flow.__mro__) if kind.__name__ == "Flow"), Flow)


def flows(namespace: Mapping[str, Any], module: str, run: Callable[[Any, str], Found]) -> list[Candidate]:
    """Flows of the module: objects, else its own classes, else classes it imports. `run` gets the crew of one."""
    classes = {name: held for name, held in namespace.items() if is_flow_class(held)}
    mine = {name: held for name, held in classes.items() if held.__module__ == module}
    made: dict[int, tuple[list[str], Any]] = {}
    of_objects = {name: held for name, held in namespace.items() if is_flow(held)}
    for name, held in (of_objects or mine or classes).items():
        made.setdefault(id(held), ([], held))[0].append(name)
    return [Candidate(tuple(names), "flow", functools.partial(run, held, names[0])) for names, held in made.values()]


def crew_of_flow(held: Any, name: str, inputs: Inputs, interception: Interception, own: Inputs) -> Found:
    """Run a Flow, or one made of a Flow class, up to its first kickoff. Raises TargetDoesNotLoad."""
    notes: tuple[str, ...] = ()
    made_up: dict[str, str] = {}
    if isinstance(held, type):
        made = arguments_for(held, name, inputs)
        held, notes, made_up = held(*made.positional, **made.named), made.note(name), made.made_up(name)
    captured = _run(held, name, {**own, **inputs}, interception)
    found = found_of(captured, "flow", name)
    return Found(found.crew, "flow", name, found.inputs, made_up, (*notes, *found.notes))


def found_of(captured: Captured, shape: str, name: str) -> Found:
    """A captured kickoff as what was found: an Agent that runs without a crew becomes a crew of one."""
    if captured.crew is not None:
        return Found(captured.crew, shape, name, dict(captured.inputs))
    from crewai import Crew, Task

    agent = captured.other
    task = Task(description=captured.prompt or "Answer.", expected_output="An answer.", agent=agent)
    note = f"agent `{str(agent.role).strip()}` is kicked off without a crew; it is looked at as a crew of one"
    return Found(Crew(agents=[agent], tasks=[task]), "agent", name, notes=(note,))


def _run(flow: Any, name: str, inputs: Inputs, interception: Interception) -> Captured:
    before = len(interception.seen)
    original = interception.original(flow, "kickoff_async")
    interception.flows_run = True
    stop: BaseException | None = None
    try:
        with withheld() as watch:
            asyncio.run(original(flow, _accepted(flow, inputs) or None))
    except KickoffCaptured as captured:
        return captured.captured
    except (Exception, KeepsAsking, Withheld) as error:
        stop = error
    finally:
        interception.flows_run = False
    if interception.seen[before:]:
        return interception.seen[-1]
    if watch.seen:
        raise _no_crew(name, watch.seen[0]) from stop
    waits = isinstance(stop, (EOFError, KeepsAsking))
    lacking = known_reason(stop) if stop is not None and not waits else None
    raise lacking or _no_crew(name, stop) from stop


def _accepted(flow: Any, inputs: Inputs) -> dict[str, Any]:
    """Inputs the Flow's state has a place for: a typed state refuses others."""
    known = getattr(type(getattr(flow, "state", None)), "model_fields", None)
    inner = getattr(getattr(flow, "_state", None), "model_fields", None) if known is None else known
    if not isinstance(inner, dict) or isinstance(getattr(flow, "_state", None), dict):
        return dict(inputs)
    return {name: value for name, value in inputs.items() if name in inner}


def _no_crew(name: str, stop: BaseException | None) -> TargetDoesNotLoad:
    way_out = "name the crew it runs (file.py:name), or give the Flow what it needs with --inputs"
    if stop is None:
        return TargetDoesNotLoad("flow", f"Flow `{name}` runs to its end and kicks off no crew", way_out)
    where = stop.where if isinstance(stop, Withheld) else users_place(stop.__traceback__)
    method = f"its method `{where.function}`" if where is not None and where.function else "it"
    if isinstance(stop, Withheld):
        did = f"{stop.what}, which loading does not do"
    elif isinstance(stop, (EOFError, KeepsAsking)):
        did = "waits on a prompt"
    else:
        lines = str(stop).strip().splitlines() or [""]
        did = f"raises {type(stop).__name__}: {lines[0][:200]}"
    return TargetDoesNotLoad(
        "flow", f"Flow `{name}` reaches no crew: {method} {did}{at(where)}", way_out, location=where
    )
