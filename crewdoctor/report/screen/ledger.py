"""The timeout ledger as a tree: the most each scope can take, and where an inner one outlives an outer one."""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.report import Scope
from crewdoctor.report.screen.line import Line, heading, line, simulated

_NO_FIGURE = frozenset({"no limit", "unknown"})
_FORK, _LAST, _BAR = "├─ ", "└─ ", "│  "


def lines(scopes: tuple[Scope, ...], simulated_subjects: tuple[str, ...]) -> Iterator[Line]:
    """The section."""
    if not scopes:
        return
    yield from heading("Ledger: how long one silent dependency can hold each scope")
    for scope in scopes:
        yield from _tree(scope, "", "", simulated_subjects)


def _ceiling(told: str) -> str:
    """`at most 30 min`; what is no figure needs no measure."""
    return f"  {'' if told in _NO_FIGURE else 'at most '}{told}" if told else ""


def _tree(scope: Scope, lead: str, below: str, simulated_subjects: tuple[str, ...]) -> Iterator[Line]:
    name = scope.name if not scope.subject or scope.subject == scope.name else f"{scope.name} {scope.subject}"
    measured = f"  shortest seen {scope.floor}" if scope.floor else ""
    yield line(
        (lead, "dim"),
        name,
        (_ceiling(scope.ceiling), "bold"),
        (f" = {scope.formula}" if scope.formula else "", "dim"),
        (measured, "dim"),
        simulated(mark=bool(measured) and scope.subject in simulated_subjects),
        indent=2,
        hang=len(lead) + 2,
    )
    if scope.inversion:
        yield line((below, "dim"), (f"! {scope.inversion}", "yellow"), indent=2, hang=len(below) + 2)
    for number, child in enumerate(scope.children, 1):
        last = number == len(scope.children)
        fork, beneath = (_LAST, "   ") if last else (_FORK, _BAR)
        yield from _tree(child, below + fork, below + beneath, simulated_subjects)
