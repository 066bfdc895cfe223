"""Crews and Flows written as JSON, JSONC or YAML: read by crewai's own loaders, with their own inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from crewdoctor.worker.capture import Interception
from crewdoctor.worker.flows import crew_of_flow
from crewdoctor.worker.found import Found
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.load_reasons import VARIABLE
from crewdoctor.worker.project_paths import Place


def crew_of_definition(place: Place, inputs: Mapping[str, Any], interception: Interception) -> Found:
    """Load the definition. Raises TargetDoesNotLoad."""
    held = _read(place)
    if "methods" in held or str(held.get("schema", "")).startswith("crewai.flow"):
        return _flow(place, inputs, interception)
    if "agents" not in held or "tasks" not in held:
        lacking = " and ".join(f"`{each}`" for each in ("agents", "tasks") if each not in held)
        raise TargetDoesNotLoad(
            "definition",
            f"{place.shown} defines no crew and no Flow: it has no {lacking}",
            "give the file that defines the crew: crew.py, crew.jsonc, flow.yaml",
            usage=True,
        )
    crew, own = _crew(place, held)
    return Found(crew, "definition", place.name, dict(own or {}))


def _read(place: Place) -> dict[str, Any]:
    text = place.file.read_text(encoding="utf-8")
    try:
        if place.file.suffix.lower() in (".yaml", ".yml"):
            import yaml

            held = yaml.safe_load(text)
        else:
            held = _parsed(text, place.shown)
    except Exception as error:  # whatever the parser calls it
        lines = str(error).splitlines() or [type(error).__name__]
        said = " ".join(each.strip() for each in lines)
        raise TargetDoesNotLoad(
            "definition", f"{place.shown} cannot be read: {said.removeprefix(f'{place.shown}: ')}", "correct it"
        ) from None
    if not isinstance(held, dict):
        raise TargetDoesNotLoad(
            "definition", f"{place.shown} holds no mapping", "a crew has `agents` and `tasks`", usage=True
        )
    return held


def _parsed(text: str, shown: str) -> Any:
    try:
        from crewai.project.json_loader import parse_jsonc
    except ImportError:
        return json.loads(text)  # a crewai that knows no JSONC says so when it is asked for the crew
    return parse_jsonc(text, source=shown)


def _crew(place: Place, held: dict[str, Any]) -> tuple[Any, Any]:
    try:
        from crewai.project.crew_loader import load_crew, load_crew_from_definition
    except ImportError as error:
        raise _too_old(place, "crews as JSON or YAML") from error
    try:
        if isinstance(held["agents"], dict):
            crew, own = load_crew_from_definition(held, source=place.shown, project_root=place.file.parent)
        else:
            crew, own = load_crew(place.file)
    except (ValueError, OSError) as error:
        if _lacks_something(error):
            raise  # a package or a variable: explained as it is anywhere else
        raise _refused(place, error) from error
    return crew, own


def _lacks_something(error: Exception) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ImportError):
            return True
        cause = cause.__cause__
    return VARIABLE.search(str(error)) is not None


def _flow(place: Place, inputs: Mapping[str, Any], interception: Interception) -> Found:
    from crewai.flow.flow import Flow

    if not hasattr(Flow, "from_declaration"):
        raise _too_old(place, "Flows as YAML or JSON")
    try:
        flow = Flow.from_declaration(path=place.file)
    except (ValueError, OSError) as error:
        raise _refused(place, error) from error
    state = getattr(getattr(flow, "_definition", None), "state", None)
    own = getattr(state, "default", None)
    name = str(getattr(flow, "name", "") or place.file.stem)
    return crew_of_flow(flow, name, inputs, interception, own if isinstance(own, dict) else {})


def _too_old(place: Place, what: str) -> TargetDoesNotLoad:
    return TargetDoesNotLoad(
        "other_version",
        f"{place.shown} needs a crewai that reads {what}; the one installed here does not",
        "install a newer crewai, or give the Python file that builds the crew",
    )


def _refused(place: Place, error: Exception) -> TargetDoesNotLoad:
    """Crewai's own words: they name the file and the field."""
    said = "; ".join(each.strip() for each in str(error).splitlines() if each.strip())
    return TargetDoesNotLoad("definition", f"crewai refuses {place.shown}: {said[:400]}", "correct the definition")
