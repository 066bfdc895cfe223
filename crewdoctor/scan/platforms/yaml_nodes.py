"""YAML as nodes with lines: nothing is constructed, so that no tag can do anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def documents(text: str) -> list[Any]:
    """The root node of every document; none where it is no YAML (a template), or no parser is installed."""
    try:
        import yaml
    except ImportError:
        return []
    try:
        return list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return []


def entries(node: Any) -> dict[str, Any]:
    """Key to node of a mapping; nothing of anything else."""
    if getattr(node, "id", "") != "mapping":
        return {}
    return {str(key.value): value for key, value in node.value}


def items(node: Any) -> tuple[Any, ...]:
    """The nodes of a sequence."""
    return tuple(node.value) if getattr(node, "id", "") == "sequence" else ()


def at(node: Any, *path: str) -> Any:
    """The node at the end of a path of keys, None where it breaks off."""
    for key in path:
        node = entries(node).get(key)
    return node


def scalar(node: Any) -> str:
    """The text of a scalar; empty for anything else."""
    return str(node.value) if getattr(node, "id", "") == "scalar" else ""


def line(node: Any) -> int:
    """The line a node starts on."""
    return int(node.start_mark.line) + 1


def walk(node: Any) -> Iterator[Any]:
    """Every node beneath, itself included."""
    yield node
    for each in (*entries(node).values(), *items(node)):
        yield from walk(each)
