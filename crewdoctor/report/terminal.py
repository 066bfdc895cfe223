"""The report for a terminal. The first finding fits the first screen; what was not examined closes it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

from rich.console import Console
from rich.text import Text

from crewdoctor.model.report import Report
from crewdoctor.report.naming import readable, shared_models
from crewdoctor.report.screen import brief as short
from crewdoctor.report.screen import (
    findings,
    frame,
    hangs,
    layers,
    ledger,
    load,
    model_calls,
    proofs,
    settings,
    stalls,
    timing,
)
from crewdoctor.report.screen.line import Line
from crewdoctor.report.screen.log_lines import log_lines

FORMAT = "rich"
WIDTH = 80
_NARROWEST = 40
_ASCII = str.maketrans(
    {
        "\N{SQUARE ROOT}": "+",
        "\N{MULTIPLICATION SIGN}": "x",
        "\N{DOUBLE EXCLAMATION MARK}": "!",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{HORIZONTAL ELLIPSIS}": "...",
        "\N{RIGHTWARDS ARROW}": ">",
        "\N{FULL BLOCK}": "#",
        "\N{LIGHT SHADE}": ".",
        "\N{DARK SHADE}": "+",
        "\N{BOX DRAWINGS HEAVY HORIZONTAL}": "=",
        "├": "|",
        "└": "`",
        "│": "|",
        "─": "-",
        "⊃": ">",
        "≥": ">=",
        "≤": "<=",
        "\N{MIDDLE DOT}": "-",
    }
)


def render(report: Report, *, width: int = WIDTH, color: bool = False, plain: bool = False, verbosity: int = 0) -> str:
    """Return the report as text. `plain`: nothing beyond ASCII; `color`: ANSI styles."""
    console = Console(
        file=io.StringIO(),
        width=max(_NARROWEST, width),
        color_system="standard" if color else None,
        force_terminal=color,
        no_color=not color,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
    names = shared_models(report)
    for each in _lines(report, console.width, verbosity):
        pieces = tuple((readable(text, names), style) for text, style in each.pieces)
        for painted in _wrapped(replace(each, pieces=pieces), console):
            console.print(painted, no_wrap=True, overflow="ignore", crop=False)
    text = _written(console)
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii") if plain else text


def _written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return "\n".join(row.rstrip() for row in console.file.getvalue().splitlines()) + "\n"


def _lines(report: Report, width: int, verbosity: int) -> Iterator[Line]:
    every = verbosity > 0
    brief = verbosity < 0
    yield from frame.head(report)
    yield from frame.verdict(report)
    yield from findings.lines(report.findings, str(report.environment.get("project_root", "")), width, every=every)
    if not brief:
        yield from load.lines(report, width)
        yield from hangs.lines(report, every=every)
    yield from model_calls.lines(report)
    if report.scope == "settings" or every:
        yield from settings.lines(report)
    if not brief:
        yield from proofs.lines(report, every=every)
        yield from stalls.lines(report, every=every)
    if not brief:
        yield from layers.lines(report.questions, every=every) if every else short.examined(report)
        yield from timing.clocks(report)
        if every:
            yield from log_lines(report)
        yield from timing.ladder(report, every=every)
        yield from timing.waterfall(report, width, every=every)
        if every or report.findings or report.scope == "settings":
            yield from ledger.lines(report.ledger, report.simulated)
    yield from frame.notes(report, every=every)
    if every:
        yield from frame.cost(report)
    yield from frame.ignored(report)
    yield from frame.unexamined(report, every=every)
    yield from frame.foot(report, every=every, brief=brief)


def _wrapped(each: Line, console: Console) -> Iterator[Text]:
    text = Text()
    for piece, style in each.pieces:
        text.append(piece, style)
    text.rstrip()
    indent = " " * each.indent
    if each.code or not text.plain:
        yield Text(indent) + text
        return
    room = console.width - each.indent
    first, *rest = text.wrap(console, room, overflow="fold")
    yield Text(indent) + first
    if rest:
        hang = min(each.hang, room // 2)
        remainder = text[len(first.plain) :] if each.hang else None
        again = _stripped(remainder).wrap(console, room - hang, overflow="fold") if remainder is not None else rest
        for row in again:
            yield Text(indent + " " * hang) + row


def _stripped(text: Text) -> Text:
    """`text` without the space it was broken at."""
    return text[len(text.plain) - len(text.plain.lstrip(" ")) :]
