"""What was still waiting at the end: whose work, the user's own lines, and the clocks around it."""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.report import Hang, HangEnd, Report
from crewdoctor.model.setting import UNLIMITED, Location, Seconds
from crewdoctor.report.screen.findings import place
from crewdoctor.report.screen.line import Line, heading, line

_MOST = 3
_MOST_FRAMES = 4
_LABEL = 10


def lines(report: Report, *, every: bool) -> Iterator[Line]:
    """The longest ones; all of them, with all frames, where `every`."""
    if not report.hangs:
        return
    yield from heading("Still waiting when it was ended")
    root = str(report.environment.get("project_root", ""))
    shown = report.hangs if every else report.hangs[:_MOST]
    for hang in shown:
        yield from _hang(hang, root, every=every)
    if report.hangs[len(shown) :]:
        yield line((f"... and {len(report.hangs) - len(shown)} more (-v shows all)", "dim"), indent=2)


def _hang(hang: Hang, root: str, *, every: bool) -> Iterator[Line]:
    yield line((hang.message, "bold"), indent=2, hang=2)
    around = [owner.subject or owner.name for owner in hang.owners]
    attempt = f", request {hang.attempt} of this call" if hang.attempt else ""
    yield _fact("owner", " > ".join(dict.fromkeys(around)) + attempt)
    frames = hang.frames if every else _own(hang.frames, root)[:_MOST_FRAMES]
    for number, frame in enumerate(frames):
        yield _fact("at" if not number else "called by", place(frame, root))
        if frame.source:
            yield line((frame.source, "cyan"), indent=4 + _LABEL)
    for number, end in enumerate(hang.ends):
        yield _fact("ends" if not number else "", _ending(end))


def _own(frames: tuple[Location, ...], root: str) -> tuple[Location, ...]:
    """The project's frames, else the innermost one there is."""
    inside = tuple(frame for frame in frames if root and frame.file.startswith(f"{root.rstrip('/')}/"))
    return inside or frames[:1]


def _ending(end: HangEnd) -> str:
    where = f" ({end.where})" if end.where else ""
    if not isinstance(end.limit, Seconds):
        return f"{end.what}: {'never, no timeout is set' if end.limit is UNLIMITED else 'not known'}{where}"
    left = f", {wording.seconds(end.left)} later" if end.left is not None else ""
    said = "" if end.interrupts else ", and does not interrupt it"
    return f"{end.what}: {wording.limit(end.limit)}{where}{left}{said}"


def _fact(label: str, text: str) -> Line:
    return line((f"{label:<{_LABEL}}", "dim"), text, indent=4, hang=_LABEL)
