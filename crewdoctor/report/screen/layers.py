"""One line per question, layer by layer. Subjects for whom a question holds alike share a line."""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.layer import Layer
from crewdoctor.model.report import Question
from crewdoctor.report.screen.line import Line, heading, line, simulated

_OK, _BAD, _CUT, _NONE = "\N{SQUARE ROOT}", "\N{MULTIPLICATION SIGN}", "\N{DOUBLE EXCLAMATION MARK}", "\N{EN DASH}"
MARK = {
    "ok": (_OK, "green"),
    "finding": (_BAD, "red"),
    "failed": (_BAD, "red"),
    "killed": (_CUT, "yellow"),
    "crashed": (_CUT, "yellow"),
    "skipped": (_NONE, "dim"),
}


def lines(questions: tuple[Question, ...], *, every: bool) -> Iterator[Line]:
    """The section. `every`: one line per subject even where all is well."""
    if not questions:
        return
    yield from heading("Layers")
    told = f"{_OK} holds, {_BAD} a finding or a failure, {_CUT} stayed open, {_NONE} not examined"
    yield line((f"{told}; first how long looking took, last the longest answer seen", "dim"), indent=2, hang=0)
    for layer in Layer:
        asked = [question for question in questions if question.layer is layer]
        if asked:
            yield line((layer.value, "bold dim"))
        for group in _groups(asked, every=every):
            yield _told(group, every=every)


def _groups(asked: list[Question], *, every: bool) -> Iterator[list[Question]]:
    """Questions that hold, or were skipped, are told together; all others one by one."""
    groups: dict[object, list[Question]] = {}
    for number, question in enumerate(asked):
        alone = every or question.status not in {"ok", "skipped"}
        key = number if alone else (question.question, question.status, question.simulated)
        groups.setdefault(key, []).append(question)
    yield from groups.values()


def _told(group: list[Question], *, every: bool) -> Line:
    first = group[0]
    mark, style = MARK.get(first.status, (_CUT, "yellow"))
    took = [question.seconds for question in group if question.seconds is not None]
    clock = f"{wording.seconds(max(took)):>8}  " if took and first.status != "skipped" else " " * 10
    subject = first.subject if len(group) == 1 else f"{len(group)} subjects"
    answer = first.answer if len(group) == 1 else ""
    if first.status == "skipped" and not every:
        answer = "not examined"  # the reasons close the report
    return line(
        (f"{mark} ", style),
        (clock, "dim"),
        (first.question, "dim" if first.status == "skipped" else ""),
        (f"  {subject}", "bold" if style == "red" else "dim"),
        (f"  {answer}" if answer else "", style),
        simulated(mark=first.simulated),
        indent=2,
        hang=12,
    )
