"""The stall matrix: when each tool gives up on a server that goes silent, by where it does."""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.phase import STALLS, Phase
from crewdoctor.model.report import Report
from crewdoctor.model.setting import Seconds
from crewdoctor.model.stall import Outcome, Stall
from crewdoctor.report.screen.line import Line, heading, line

_NAME, _CELL = 22, 11
_HEADS = {
    Phase.LOOKUP: "name",
    Phase.CONNECT: "connect",
    Phase.TLS: "handshake",
    Phase.REQUEST: "first byte",
    Phase.BODY: "body",
}
_STYLES = {Outcome.GAVE_UP: "green", Outcome.FOR_EVER: "red", Outcome.UNKNOWN: "yellow"}


def lines(report: Report, *, every: bool) -> Iterator[Line]:
    """One row per tool; with `every` also what the crew got to see, and why something is not known."""
    if not report.stalls:
        return
    yield from heading("Stall test: when a tool gives up on a server of ours that says no more")
    yield line(f"{'':<{_NAME}}", ("".join(f"{_HEADS[phase]:<{_CELL}}" for phase in STALLS), "dim"), indent=2)
    for subject in dict.fromkeys(each.subject for each in report.stalls):
        held = {each.phase: each for each in report.stalls if each.subject == subject}
        yield _row(subject.partition(":")[2], held)
        yield from (
            _told(each) for each in held.values() if each.outcome is Outcome.UNKNOWN or (every and _worth(each))
        )
    yield line(("at 30 s: a limit in force there, not waited out.  x2: requests it sent", "dim"), indent=2)


def _row(name: str, held: dict[Phase, Stall]) -> Line:
    shown = name if len(name) < _NAME else f"{name[: _NAME - 4]}..."
    if all(each.outcome is Outcome.NO_NETWORK for each in held.values()):
        return line(f"{shown:<{_NAME}}", ("never asks the network", "dim"), indent=2)
    cells = [(f"{cell(held[phase]) if phase in held else '':<{_CELL}}", _style(held.get(phase))) for phase in STALLS]
    return line(f"{shown:<{_NAME}}", *cells, indent=2)


def cell(stall: Stall) -> str:
    """One field of the matrix: `2.4 s x3`, `at 30 s`, `for ever`, `-` where the call never comes there."""
    if stall.outcome is Outcome.GAVE_UP:
        return wording.seconds(stall.seconds) + (f" x{stall.requests}" if stall.requests > 1 else "")
    if stall.outcome is Outcome.LIMITED and isinstance(stall.limit, Seconds):
        return f"at {stall.limit.value:g} s" + (f" x{stall.requests}" if stall.requests > 1 else "")
    return "-" if stall.outcome in {Outcome.NOT_MET, Outcome.NO_NETWORK} else str(stall.outcome.value)


def _style(stall: Stall | None) -> str:
    return _STYLES.get(stall.outcome, "") if stall is not None else ""


def _worth(stall: Stall) -> bool:
    return stall.outcome in {Outcome.GAVE_UP, Outcome.LIMITED, Outcome.FOR_EVER}


def _told(stall: Stall) -> Line:
    where = f"{stall.location.file.rpartition('/')[2]}:{stall.location.line}  " if stall.location else ""
    by = f"{stall.limited_by} ends it" if stall.limited_by else ""
    words = stall.reason or by or stall.seen
    return line(
        (f"{_HEADS[stall.phase]:<12}", "dim"), where, stall.host, f"  {words}" if words else "", indent=4, hang=12
    )
