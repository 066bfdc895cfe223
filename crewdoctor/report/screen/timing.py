"""Where the time went: the ladder, the waterfall of the full crew, and the shares of its critical path."""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.report import Bar, Report, Rung
from crewdoctor.report.screen import brief
from crewdoctor.report.screen.brief import fine
from crewdoctor.report.screen.line import SIMULATED, Line, heading, line, simulated
from crewdoctor.wire.redact import clean

_FULL, _LIGHT, _OPEN = "\N{FULL BLOCK}", "\N{LIGHT SHADE}", "\N{RIGHTWARDS ARROW}"
_STYLE = {"llm": "blue", "tool": "cyan", "limiter": "magenta", "backoff": "magenta", "network": "dim"}
_NAMES = 30
_CLOCK = 10
_SHORTEST_TRACK = 12


def clocks(report: Report) -> Iterator[Line]:
    """Of a recorded program: what its imports, its kickoffs and its end took."""
    held = report.environment.get("clocks") or ()
    if not held:
        return
    yield from heading("The program")
    for each in held:
        yield line(
            f"{each['name']:<10}",
            f"{wording.seconds(float(each['seconds'])):>9}",
            (f"  {each['detail']}" if each["detail"] else "", "dim"),
            indent=2,
            hang=21,
        )
    waits = report.environment.get("longest") or ()
    if waits:
        yield line("longest waits:", indent=2)
    for each in waits:
        mark = ">" if each["open"] else ""
        yield line(
            f"{mark + wording.seconds(float(each['seconds'])):>19}",
            f"  {each['name']} {each['whom']}",
            (f"  {wording.within(each['at'], str(report.environment.get('project_root', '')))}", "dim"),
            indent=2,
            hang=21,
        )


def ladder(report: Report, *, every: bool = True) -> Iterator[Line]:
    """The same work, rung by rung; the rung where exclusive time jumps is marked. Else one line, unless `every`."""
    if not report.ladder:
        return
    if not every and not any(rung.jump for rung in report.ladder):
        yield from brief.ladder(report.ladder, simulated_model=bool(report.simulated))
        return
    yield from heading("Ladder: the same work, one layer higher each")
    for rung in report.ladder:
        yield _rung(rung, simulated_model=bool(report.simulated) and rung.name != "connect")


def _rung(rung: Rung, *, simulated_model: bool) -> Line:
    style = "bold yellow" if rung.jump else ""
    return line(
        (f"{rung.name:<14}", style),
        (f"{fine(rung.median):>9}", style),
        (f"  +{fine(rung.exclusive)}", "dim"),
        (f"  n={rung.samples}, max {fine(rung.maximum)}", "dim"),
        ("  <- time jumps here" if rung.jump else "", "bold yellow"),
        (f"  {rung.note}" if rung.note else "", "dim"),
        simulated(mark=simulated_model),
        indent=2,
        hang=16,
    )


def waterfall(report: Report, width: int, *, every: bool) -> Iterator[Line]:
    """Bars over the whole kickoff. Full: on the critical path; light: beside it."""
    if not report.waterfall:
        return
    bars = report.waterfall if every else brief.bars(report.waterfall, calm=not report.findings)
    total = max(bar.end for bar in report.waterfall) or 1.0
    yield from heading(f"Crew: {wording.seconds(total)}")
    label = len(SIMULATED) + 2 if report.simulated else 0
    track = max(_SHORTEST_TRACK, width - _NAMES - _CLOCK - label - 5)
    for bar in bars:
        yield _bar(bar, total, track, simulated_model=bool(report.simulated) and bar.kind == "llm")
    left_out = len(report.waterfall) - len(bars)
    if left_out and (every or report.findings):
        yield line((f"... and {left_out} more (-v shows all)", "dim"), indent=2)
    yield from _shares(report)


def _bar(bar: Bar, total: float, track: int, *, simulated_model: bool) -> Line:
    first = min(track - 1, int(bar.start / total * track))
    last = max(first + 1, min(track, round(bar.end / total * track)))
    fill = (_FULL if bar.critical else _LIGHT) * (last - first - 1) + (
        _OPEN if bar.open else _FULL if bar.critical else _LIGHT
    )
    name = clean(f"{'  ' * min(bar.depth, 6)}{_short(bar)}")[:_NAMES]
    clock = ">" + wording.seconds(bar.end - bar.start) if bar.open else wording.seconds(bar.end - bar.start)
    return line(
        (f"{name:<{_NAMES}} ", _STYLE.get(bar.kind, "")),
        (f"{' ' * first}{fill}{' ' * (track - last)}", _STYLE.get(bar.kind, "")),
        (f"{clock:>{_CLOCK}}", "red" if bar.open or bar.failure else "dim"),
        (f"  {bar.failure}" if bar.failure else "", "red"),
        simulated(mark=simulated_model),
        indent=2,
        hang=_NAMES,
    )


def _short(bar: Bar) -> str:
    if bar.kind == "llm" and bar.detail:  # its model: the subject of a shared one is its first agent's
        return bar.detail
    if bar.kind in {"backoff", "limiter", "wait"}:
        return f"{bar.name} {bar.detail}".strip()
    named = bar.kind in {"tool", "task", "agent", "llm"} and bar.subject
    if bar.kind == "agent" and bar.detail:
        return f"{bar.subject}, {bar.detail}"
    return bar.subject if named else bar.detail or bar.name


def _shares(report: Report) -> Iterator[Line]:
    if report.shares:
        told = [
            f"{share.kind}{' (SIMULATED)' if report.simulated and share.kind == 'llm' else ''} "
            f"{wording.seconds(share.seconds)} ({percent} %)"
            for share, percent in zip(
                report.shares, wording.percents([each.share for each in report.shares]), strict=True
            )
        ]
        yield line(("where it went: ", "dim"), ", ".join(told), indent=2, hang=2)
