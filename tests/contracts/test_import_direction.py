"""Imports point one way, and the network and the models stay out of module level."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "crewdoctor"
LEVELS = {
    "model": 0,
    "wire": 1,
    **dict.fromkeys(("planner", "supervisor", "rulebook", "causality", "report", "config", "patience", "reading"), 3),
    "pipeline": 4,
    "cli": 5,
}
PURE = 2
"""Level of every other room: probes, rules, budget, timeline and what they share."""
CHILD = {"scope", "probes", "scan", "wire", "model", "net", "llm", "sampling", "worker", "endpoint"}
FORBIDDEN = {"rules": {"probes"}, "probes": {"rules", "worker"}, "supervisor": {"worker"}, "endpoint": {"worker"}}
THIRD_PARTY = {
    "cli": {"typer"},
    "report": {"rich"},
    "endpoint": {"starlette", "uvicorn"},
    "config": {"tomli"},
    "minimal": {"crewai"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def level(name: str) -> int:
    return LEVELS.get(name, PURE)


def imports(path: Path, *, top: bool) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lazy = {id(node) for each in ast.walk(tree) if is_lazy(each) for node in ast.walk(each)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if top and id(node) in lazy:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= (
                {f"{node.module}.{alias.name}" for alias in node.names}
                if node.module == "crewdoctor"
                else {str(node.module)}
            )
    return found


def is_lazy(node: ast.AST) -> bool:
    """Whether what stands in it runs later, or for a type checker only."""
    typing = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return typing or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    mine = room(path)
    rooms = {name.split(".")[1] for name in imports(path, top=False) if name.startswith("crewdoctor.")} - {
        mine,
        "__version__",
    }

    assert not rooms & FORBIDDEN.get(mine, set())
    if mine == "worker":
        assert rooms <= CHILD
    elif mine not in {"__init__", "__main__"}:
        assert "worker" not in rooms
        assert not {name for name in rooms if level(name) > level(mine)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_heavy_is_imported_at_module_level(path):
    roots = {name.split(".")[0] for name in imports(path, top=True)}

    assert roots - set(sys.stdlib_module_names) - {"crewdoctor"} <= THIRD_PARTY.get(room(path), set())
