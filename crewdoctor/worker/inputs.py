"""Inputs a crew needs, and those its own program gives it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from crewdoctor.scan.module import read_module
from crewdoctor.scan.values import UNRESOLVED, Scope, value_of
from crewdoctor.worker.project_paths import Place

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_\-]*)}")
"""What crewai fills in (crewai/utilities/string_utils.py); other braces are text."""
_KICKOFF = re.compile(r"kickoff|^train$|^test$")


def required_inputs(crew: Any) -> tuple[str, ...]:
    """Placeholders in the texts of agents and tasks, in alphabetical order."""
    texts = [getattr(task, name, "") for task in crew.tasks for name in ("description", "expected_output")]
    agents = [*crew.agents, *(task.agent for task in crew.tasks if task.agent is not None)]
    texts += [getattr(agent, name, "") for agent in agents for name in ("role", "goal", "backstory")]
    texts += [getattr(task, "output_file", None) or "" for task in crew.tasks]
    return tuple(sorted({name for text in texts for name in _PLACEHOLDER.findall(str(text or ""))}))


def suggested_inputs(place: Place) -> dict[str, Any]:
    """Literal inputs the file itself, or the `main.py` beside it, hands to a kickoff: read, never run."""
    found: dict[str, Any] = {}
    for file in dict.fromkeys((place.file, place.file.parent / "main.py")):
        if file.is_file():
            for name, value in _given_in(str(file)).items():
                found.setdefault(name, value)
    return found


def _given_in(file: str) -> dict[str, Any]:
    module = read_module(file)
    tree = _tree(file)
    found: dict[str, Any] = {}
    for call in [node for node in ast.walk(tree) if isinstance(node, ast.Call)] if tree is not None else ():
        if not isinstance(call.func, ast.Attribute) or not _KICKOFF.search(call.func.attr):
            continue
        function = module.function_at(call.lineno)
        scope = Scope(module, function)
        for node in [each.value for each in call.keywords if each.arg == "inputs"] + call.args[:1]:
            for name, value in _entries(node, scope).items():
                found.setdefault(name, value)
    return found


def _entries(node: ast.expr, scope: Scope) -> dict[str, Any]:
    if isinstance(node, ast.Name):
        bound = scope.expression(node.id)
        return _entries(bound, scope) if bound is not None and not isinstance(bound, ast.Name) else {}
    if isinstance(node, ast.List) and node.elts:
        return _entries(node.elts[0], scope)
    if not isinstance(node, ast.Dict):
        return {}
    pairs = [(key, value_of(value, scope)) for key, value in zip(node.keys, node.values, strict=True)]
    return {str(key.value): value for key, value in pairs if isinstance(key, ast.Constant) and value is not UNRESOLVED}


def _tree(file: str) -> ast.Module | None:
    try:
        return ast.parse(Path(file).read_bytes(), file)
    except (OSError, SyntaxError, ValueError):
        return None
