"""The target's module, imported as `crewai run` would import it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

from crewdoctor.worker.capture import Captured, KickoffCaptured
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.project_paths import Place


def import_target(place: Place) -> tuple[dict[str, Any], Captured | None]:
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
