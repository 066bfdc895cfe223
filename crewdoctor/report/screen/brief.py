"""The short form: a line per layer, the ladder as one, the bars that carry the most. `-v` shows every line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crewdoctor import wording
from crewdoctor.model.layer import Layer
from crewdoctor.model.report import Bar, Question, Report, Rung
from crewdoctor.report.screen.line import Line, heading, line, simulated

_NAME, _STATUS = 12, 14
_FEW = 3
_STATUSES = {
    "finding": ("finding", "red"),
    "failed": ("failed", "red"),
    "killed": ("open", "yellow"),
    "crashed": ("crashed", "yellow"),
}
_CALM_BARS, _BARS = 6, 16
_FINE_BELOW = 0.1


def fine(value: float) -> str:
    """Milliseconds where seconds would read 0.00: a connection takes one."""
    return f"{value * 1000:.1f} ms" if abs(value) < _FINE_BELOW else wording.seconds(value)


def examined(report: Report) -> Iterator[Line]:
    """What held, layer by layer, in words; each question that did not, beneath its layer."""
    if not report.questions:
        return
    yield from heading("Examined")
    for layer in Layer:
        asked = [question for question in report.questions if question.layer is layer]
        bad = [question for question in asked if question.status in _STATUSES]
        ill = {question.subject for question in bad}
        held = [question for question in asked if question.status == "ok" and question.subject not in ill]
        said = set()
        for question in bad:
            status = _STATUSES[question.status]
            if layer is Layer.ENVIRONMENT and question.status == "failed":  # no crew fails by it: a note has the cost
                yield _row(
                    layer, ("not reached", "yellow"), f"{short(question.subject)} (see notes)", "dim", label=False
                )
                continue
            told = f"{question.subject}: {question.answer}" if question.answer else question.subject
            if (status, told) in said:  # one question each way to fail, and the answer the same
                continue
            said.add((status, told))
            yield _row(layer, status, told, status[1], label=question.simulated)
        if held:
            label = any(each.simulated for each in held)
            yield _row(layer, ("ok", "green"), _subjects(held, report), "dim", label=label)
        elif asked and not bad:
            yield _row(layer, ("not examined", "dim"), _subjects(asked, report), "dim", label=False)


def _row(layer: Layer, status: tuple[str, str], told: str, style: str, *, label: bool) -> Line:
    return line(
        f"{layer.value:<{_NAME}}",
        (f"{status[0]:<{_STATUS}}", status[1]),
        (told, style),
        simulated(mark=label),
        indent=2,
        hang=_NAME + _STATUS,
    )


def _subjects(asked: list[Question], report: Report) -> str:
    """`127.0.0.1:8000, api.example.com:443`; a crew and its settings have one subject, which the head has named."""
    layer = asked[0].layer
    if layer is Layer.SETTINGS:
        loaded = "the crew was loaded" if report.crew else "nothing stands against it"
        return loaded if asked[0].status == "ok" else ""
    if layer is Layer.CREW:
        took = [each.answer for each in asked if each.answer and each.status == "ok"]
        return f"the whole crew ran to its end{f', {took[0]}' if took else ''}" if asked[0].status == "ok" else ""
    models = {str(each["subject"]): str(each["model"]) for each in report.environment.get("models") or ()}
    named = dict.fromkeys(models.get(each.subject) or short(each.subject) for each in asked)
    return some(named)


def short(subject: str) -> str:
    """`host:127.0.0.1:80` without its kind, which stands before it."""
    kind, _, name = subject.partition(":")
    return name if name and kind in {"host", "tool", "agent"} else subject


def some(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    held = list(names)
    more = len(held) - _FEW
    return ", ".join(held[:_FEW]) + (f" and {more} more" if more > 0 else "")


def ladder(rungs: tuple[Rung, ...], *, simulated_model: bool) -> Iterator[Line]:
    """One line: what each layer makes of the same work."""
    told = ", ".join(f"{rung.name} {fine(rung.median)}" for rung in rungs)
    yield line(
        (f"{'ladder':<{_NAME}}", ""),
        (f"the same work by {told}", "dim"),
        simulated(mark=simulated_model and len(rungs) > 1),
        indent=2,
        hang=_NAME,
    )


def bars(held: tuple[Bar, ...], *, calm: bool) -> tuple[Bar, ...]:
    """The bars worth their line: what never ended or failed, what the crew is made of, then the longest."""
    most = _CALM_BARS if calm else _BARS
    network = (bar for bar in held if bar.kind != "network" or bar.open or bar.failure)
    own = [bar for bar in network if not (calm and bar.kind == "crew")]
    weighed = sorted(own, key=lambda bar: (not bar.open, not bar.failure, not bar.critical, bar.start - bar.end))
    kept = {id(bar) for bar in weighed[:most]}
    return tuple(bar for bar in held if id(bar) in kept)
