"""The ways to a crew, the most explicit first.

A named one; else objects, Flows, `@CrewBase` classes, factories and classes of the module; else what it kicks off when
it is run as `__main__`; else the one Crew that was built on the way. Where all of them fail, the functions that would
build one are named, and none is called.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from crewdoctor.worker import candidates
from crewdoctor.worker.builders import builders, has_main, nameable
from crewdoctor.worker.capture import Captured, Interception, KickoffCaptured
from crewdoctor.worker.construction import Constructions
from crewdoctor.worker.flows import crew_of_flow, flows, found_of, is_flow, is_flow_class
from crewdoctor.worker.found import Candidate, Found
from crewdoctor.worker.importing import import_target
from crewdoctor.worker.inputs import suggested_inputs
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.obstacles import EndsProcess, KeepsAsking, StartsServer
from crewdoctor.worker.project_paths import Place
from crewdoctor.worker.source_place import shown


@dataclass(slots=True)
class Search:
    """One search for the crew of a module. `crew()` is all of it."""

    place: Place
    inputs: Mapping[str, Any]
    interception: Interception
    constructions: Constructions
    namespace: dict[str, Any] = field(default_factory=dict)

    def crew(self) -> Found:
        """Import the module and follow the ways. Raises TargetDoesNotLoad, and whatever the user's code raises."""
        self.namespace, stopped = import_target(self.place)
        if stopped is None and self.interception.seen:
            stopped = self.interception.seen[-1]  # the script caught the interception and went on
        if self.place.name:
            return self._named(stopped)
        if stopped is not None:
            return self._of_captured(stopped)
        found = self._offered()
        return found if found is not None else self._otherwise()

    # --- a name the user chose -----------------------------------------------------------------------------------

    def _named(self, stopped: Captured | None) -> Found:
        name = self.place.name
        if name not in self.namespace:
            if stopped is not None:
                raise TargetDoesNotLoad(
                    "no_such_name",
                    f"`{name}` is not there yet when {self.place.shown} kicks its crew off at import",
                    'move the kickoff under `if __name__ == "__main__":`',
                    usage=True,
                )
            raise self._no_such_name(name)
        found = self._made(self._one_called(name))
        if stopped is not None and found.crew is stopped.crew:
            return replace(found, inputs=dict(stopped.inputs))
        return found

    def _one_called(self, name: str) -> Candidate:
        from crewai import Agent, Crew

        held, alone = self.namespace[name], {name: self.namespace[name]}
        if isinstance(held, Crew):
            return candidates.objects(alone)[0]
        if candidates.is_crew_class(held):
            return candidates.crew_classes({name: held}, "", self.inputs)[0] if hasattr(held, "crew") else _void(name)
        if is_flow(held) or is_flow_class(held):
            return Candidate((name,), "flow", lambda: self._of_flow(held, name))
        if isinstance(held, Agent):
            return Candidate((name,), "agent", lambda: found_of(Captured(None, "", {}, held), "agent", name))
        if isinstance(held, type):
            return Candidate((name,), "class", candidates.of_plain_class(held, name, self.inputs))
        if callable(held):
            return Candidate((name,), "factory", lambda: candidates.call(held, name, self.inputs))
        return Candidate((name,), "class", lambda: candidates.crew_of(held, name, self.inputs))

    def _no_such_name(self, name: str) -> TargetDoesNotLoad:
        names = [each.names[0] for kind in self._kinds() for each in kind()] or [
            each.name for each in builders(self.place)
        ]
        way_out = f"it has {', '.join(f'`{each}`' for each in names)}" if names else "it holds no crew at all"
        likeliest = (*get_close_matches(name, names, n=1), *names)
        return TargetDoesNotLoad(
            "no_such_name",
            f"the target has no `{name}`",
            way_out,
            usage=True,
            names=tuple(dict.fromkeys(likeliest)),
        )

    # --- what the module offers ----------------------------------------------------------------------------------

    def _kinds(self) -> tuple[Callable[[], list[Candidate]], ...]:
        module = str(self.namespace.get("__name__", ""))
        return (
            lambda: candidates.objects(self.namespace),
            lambda: flows(self.namespace, module, self._of_flow),
            lambda: candidates.crew_classes(self.namespace, module, self.inputs),
            lambda: candidates.factories(self.namespace, module, self.inputs),
            lambda: candidates.plain_classes(self.namespace, module, self.inputs),
        )

    def _offered(self) -> Found | None:
        """The crew of the first kind there is one of; a Flow that reaches none makes room for the crews beside it."""
        failed: TargetDoesNotLoad | None = None
        for kind in self._kinds():
            offers = kind()
            if not offers:
                continue
            if len(offers) > 1 or any(each.invents for each in offers):
                found = self._as_main_if_any()  # running it says which one, and with what arguments
                if found is not None:
                    return found
            if len(offers) > 1:
                raise _several(offers, self.place, failed)
            try:
                found = self._made(offers[0])
            except TargetDoesNotLoad as failure:
                if failure.kind != "flow":
                    raise
                failed = failure
                continue
            return found if failed is None else replace(found, notes=(*found.notes, failed.sentence))
        if failed is not None:
            raise failed
        return None

    def _made(self, candidate: Candidate) -> Found:
        """The candidate's crew, or the one it kicks off while it is asked for it."""
        before = len(self.interception.seen)
        try:
            found = candidate.make()
        except KickoffCaptured as stop:
            found = self._of_captured(stop.captured)
        except TargetDoesNotLoad as failure:
            if failure.kind != "no_crew" or not self.interception.seen[before:]:
                raise
            found = self._of_captured(self.interception.seen[-1])
        return found

    def _of_flow(self, held: Any, name: str) -> Found:
        own = suggested_inputs(self.place)
        found = crew_of_flow(held, name, self.inputs, self.interception, own)
        module = str(self.namespace.get("__name__", ""))
        beside = [
            each.names[0]
            for each in candidates.crew_classes(self.namespace, module, {})
            if not self.constructions.by_class(found.crew, self.namespace[each.names[0]])
        ]
        if not beside:
            return found
        listed = ", ".join(f"{self.place.shown}:{each}" for each in beside)
        return replace(
            found, notes=(*found.notes, f"only the first crew Flow `{name}` starts is looked at; see {listed}")
        )

    # --- what it does when it is run -----------------------------------------------------------------------------

    def _as_main_if_any(self) -> Found | None:
        """What it kicks off as `__main__`; None where it does nothing there, or nothing that leads to a crew."""
        if not has_main(self.place):
            return None
        try:
            stopped = self._run_as_main()
            return self._of_captured(stopped) if stopped is not None else None
        except (Exception, SystemExit, StartsServer, EndsProcess, KeepsAsking):
            return None

    def _otherwise(self) -> Found:
        failure: BaseException | None = None
        built = list(self.constructions.crews)
        if has_main(self.place):
            try:
                stopped = self._run_as_main()
                if stopped is not None:
                    return self._of_captured(stopped)
            except StartsServer:
                pass  # a web app: its crew was built on the way, or is built when a request comes
            except (Exception, SystemExit) as error:
                failure = error
            built = built or list(self.constructions.crews)  # running it built those of the import once more
        if len(built) == 1:
            return Found(built[0], "constructed", self.place.name)
        if len(built) > 1:
            raise self._built_several(built)
        raise failure or self._none()

    def _run_as_main(self) -> Captured | None:
        seen, before = self.interception.seen, sys.modules.get("__main__")
        already = len(seen)
        try:
            if self.place.package:
                runpy.run_module(self.place.module, run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(str(self.place.file), run_name="__main__")
        except KickoffCaptured as stop:
            return stop.captured
        except SystemExit:
            if not seen[already:]:
                raise
        finally:
            if before is not None:
                sys.modules["__main__"] = before
        return seen[-1] if seen[already:] else None

    def _of_captured(self, found: Captured) -> Found:
        if found.crew is None and is_flow(found.other):
            name = next((each for each, held in self.namespace.items() if held is found.other), "")
            name = name or type(found.other).__name__
            return crew_of_flow(found.other, name, {**found.inputs, **self.inputs}, self.interception, {})
        if found.crew is None and found.other is None:
            raise TargetDoesNotLoad(
                "elsewhere",
                f"{self.place.shown} kicks its crew off in a process of its own",
                f"name what holds the crew: {nameable(self.place) or 'crew.py:name'}",
            )
        names = [name for name, held in self.namespace.items() if held is (found.crew or found.other)]
        return found_of(found, "kickoff captured", names[0] if names else self.place.name)

    # --- none ----------------------------------------------------------------------------------------------------

    def _built_several(self, crews: list[Any]) -> TargetDoesNotLoad:
        where = [self.constructions.of(each) for each in crews]
        lines = [
            f"{shown(each.frames[0][0])}:{each.frames[0][1]}" for each in where if each is not None and each.frames
        ]
        return TargetDoesNotLoad(
            "several_crews",
            f"{self.place.shown} builds {len(where)} crews, none under a name of the module: {', '.join(lines)}",
            "give the one you mean a name, and name it: crew.py:name",
            usage=True,
        )

    def _none(self) -> TargetDoesNotLoad:
        inside = builders(self.place)
        if not inside:
            return TargetDoesNotLoad(
                "no_crew",
                f"{self.place.shown} holds no crew: no Crew object, no @CrewBase class, no Flow, no function that "
                "returns one, and running it kicks none off",
                "name the function or object: crew.py:name",
            )
        listed = ", ".join(
            f"`{each.name}` ({self.place.shown}:{each.line}{_decorated(each.decorators)})" for each in inside
        )
        return TargetDoesNotLoad(
            "built_inside",
            f"{self.place.shown} has no crew until it is called: it is built inside {listed}",
            f"name the function, and it is called up to its kickoff: {self.place.shown}:{inside[0].name}",
            usage=True,
            names=tuple(each.name for each in inside),
        )


def _decorated(decorators: tuple[str, ...]) -> str:
    return f", @{decorators[0]}" if decorators else ""


def _void(name: str) -> Candidate:
    def make() -> Found:
        raise TargetDoesNotLoad("no_crew", f"@CrewBase class `{name}` has no method `crew`", "add one")

    return Candidate((name,), "crewbase", make)


def _several(offers: list[Candidate], place: Place, failed: TargetDoesNotLoad | None) -> TargetDoesNotLoad:
    names = [each.names[0] for each in offers]
    listed = ", ".join(f"`{each}`" for each in names)
    return TargetDoesNotLoad(
        "several_crews",
        f"{place.shown} has {len(names)} crews: {listed}{f' ({failed.sentence})' if failed else ''}",
        f"choose one: {place.shown}:{names[0]}",
        usage=True,
        names=tuple(names),
    )
