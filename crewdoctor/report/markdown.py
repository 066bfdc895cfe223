"""The report as Markdown: for a comment on a pull request, a job summary, or the page of an incident.

The verdict, the first finding with both numbers and its fix, and a table of layers; all else is folded away. Text from
outside can neither format, link, mention nor mark up anything.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from crewdoctor import wording
from crewdoctor.model.finding import Finding, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.report import Question, Report
from crewdoctor.model.rule import RuleStatus
from crewdoctor.report.exit_code import HEALTHY, meaning
from crewdoctor.report.screen import ledger, proofs, stalls, timing
from crewdoctor.report.screen import load as under_load
from crewdoctor.report.screen.line import Line
from crewdoctor.report.told import facts
from crewdoctor.wire.redact import clean

FORMAT = "markdown"
SUFFIXES = "md"

_MOST = 60_000
"""GitHub refuses a comment of more than 65,536 characters."""
_OPENLY = 5
_WIDTH = 100
_BAD, _GOOD, _WARN, _NONE = "\N{CROSS MARK}", "\N{WHITE HEAVY CHECK MARK}", "\N{WARNING SIGN}\ufe0f", "\N{EN DASH}"
_MARKS = {Severity.ERROR: _BAD, Severity.WARNING: _WARN, Severity.INFO: "\N{INFORMATION SOURCE}\ufe0f"}
_STATUS = {"ok": _GOOD, "finding": _BAD, "skipped": _NONE}
_SPECIAL = re.compile(r"[\\*\[\]~`]|(?<!\w)_|_(?!\w)")
_AT_START = re.compile(r"^(\d{0,9})([-+#=.)])(?=[\s#=.-]|$)")
_REFERS = re.compile(r"([@#!])(?=\w)")
_SIMULATED = " **SIMULATED**"


def render(report: Report) -> str:
    """Return one Markdown document."""
    rows = [*_head(report), *_findings(report), *_load(report), *_ignored(report), *_layers(report), *_note(report)]
    foot = _foot(report)
    length = sum(len(row) + 1 for row in (*rows, *foot))
    left_out = 0
    for title, body in _folded(report):
        section = [f"<details><summary>{title}</summary>", "", *body, "", "</details>", ""]
        size = sum(len(row) + 1 for row in section)
        if length + size > _MOST:
            left_out += 1
            continue
        rows += section
        length += size
    if left_out:
        told = wording.plural(left_out, "section")
        rows += [f"{told} left out: too long for a comment. `--format json` holds everything.", ""]
    return "\n".join((*rows, *foot)) + "\n"


def _head(report: Report) -> Iterator[str]:
    yield f"## {_verdict_mark(report)} crewdoctor: {_inline(report.verdict)}"
    yield ""
    if report.simulated:
        models = (each for each in report.environment.get("models") or () if each.get("simulated"))
        names = ", ".join(_code(name) for name in dict.fromkeys(str(each["model"]) for each in models))
        yield f"> **SIMULATED model**: the embedded endpoint answered in place of {names or 'the model'}."
        yield ""


def _verdict_mark(report: Report) -> str:
    """Green only where nothing was found, ignored or left open."""
    if report.findings:
        return _MARKS[report.findings[0].severity]
    still_open = any(each.status not in {"ok", "skipped"} for each in report.questions)
    ignored = any(each.ignored for each in report.rules)
    return _WARN if still_open or ignored or report.exit_code != HEALTHY else _GOOD


def _findings(report: Report) -> Iterator[str]:
    for number, finding in enumerate(report.findings[:_OPENLY]):
        yield from _finding(finding, report, large=number == 0)


def _finding(finding: Finding, report: Report, *, large: bool) -> Iterator[str]:
    label = _SIMULATED if finding.attrs.get("simulated") else ""
    yield f"{'###' if large else '####'} {_MARKS[finding.severity]} {finding.code} {_code(finding.slug)}{label}"
    yield ""
    yield f"{finding.severity.value} · layer **{finding.layer.value}** · {_code(finding.subject)}"
    yield ""
    yield _inline(finding.message)
    yield ""
    told = dict(facts(finding, str(report.environment.get("project_root", ""))))
    if "measured" in told:
        yield "| measured | limit |"
        yield "|---|---|"
        yield f"| {_cell(told['measured'])} | {_cell(told['limit'])} |"
        yield ""
    if "at" in told:
        source = f": {_code(finding.location.source)}" if finding.location and finding.location.source else ""
        yield f"At {_code(told['at'])}{source}"
        yield ""
    if finding.fix is not None:
        yield f"**Fix:** {_inline(finding.fix.title)}"
        yield ""
        if finding.fix.code:
            yield from _block(finding.fix.code.splitlines(), finding.fix.language)
            yield ""
    yield from _explained(finding, "")
    if finding.explained:
        yield ""


def _explained(finding: Finding, indent: str) -> Iterator[str]:
    for each in finding.explained:
        yield f"{indent}- explains {each.code} {_code(each.subject)}: {_inline(each.message)}"
        yield from _explained(each, f"{indent}  ")


def _load(report: Report) -> Iterator[str]:
    """The crew many times at once, as the terminal shows it."""
    if report.load is not None:
        yield from _screen(under_load.lines(report, _WIDTH))
        yield ""


def _ignored(report: Report) -> Iterator[str]:
    root = str(report.environment.get("project_root", ""))
    held = [(outcome, each) for outcome in report.rules for each in outcome.ignored]
    for outcome, each in held:
        reason = _inline(each.reason) if each.reason else "none given"
        place = _code(wording.place(each.location, root))
        yield f"- Ignored in source: {outcome.code} {_code(each.subject)} at {place}, reason: {reason}"
    if held:
        yield ""


def _layers(report: Report) -> Iterator[str]:
    if not report.questions:
        return
    yield "| layer | | questions | longest |"
    yield "|---|---|---|---:|"
    for layer in Layer:
        asked = [each for each in report.questions if each.layer is layer]
        if asked:
            yield f"| {layer.value} | {_mark(asked)} | {_cell(_summary(asked))} | {_longest(asked)} |"
    yield ""


def _mark(asked: list[Question]) -> str:
    statuses = {each.status for each in asked}
    if "finding" in statuses:
        return _BAD
    if statuses <= {"skipped"}:
        return _NONE
    return _GOOD if statuses <= {"ok", "skipped"} else _WARN


def _summary(asked: list[Question]) -> str:
    """`2 hold, 1 does not: CD304, 1 not examined`."""
    count = {status: sum(each.status == status for each in asked) for status in ("ok", "finding", "skipped")}
    still_open = len(asked) - sum(count.values())
    codes = ", ".join(dict.fromkeys(each.answer for each in asked if each.status == "finding"))
    parts = (
        (count["ok"], f"{count['ok']} hold{'s' if count['ok'] == 1 else ''}"),
        (count["finding"], f"{count['finding']} do{'es' if count['finding'] == 1 else ''} not: {codes}"),
        (still_open, f"{still_open} stayed open"),
        (count["skipped"], f"{count['skipped']} not examined"),
    )
    label = " (SIMULATED)" if any(each.simulated for each in asked) else ""
    return ", ".join(told for number, told in parts if number) + label


def _longest(asked: list[Question]) -> str:
    took = [each.seconds for each in asked if each.seconds is not None and each.status != "skipped"]
    return wording.seconds(max(took)) if took else ""


def _note(report: Report) -> Iterator[str]:
    told = report.longest_hang or (report.notes[0].message if report.notes else "")
    if told:
        codes = ", ".join(dict.fromkeys(note.code for note in report.notes))
        yield f"> note: {_inline(told)}{f' ({codes})' if codes else ''}"
        yield ""


def _folded(report: Report) -> Iterator[tuple[str, list[str]]]:
    more = report.findings[_OPENLY:]
    if more:
        body = [row for each in more for row in _finding(each, report, large=False)]
        yield wording.plural(len(more), "more finding"), body
    if report.questions:
        yield f"All {len(report.questions)} questions", list(_questions(report.questions))
    if report.waterfall or report.ladder:
        lines = (*timing.ladder(report), *timing.waterfall(report, _WIDTH, every=False))
        yield "Where the time went", list(_screen(lines))
    if report.ledger:
        yield (
            "Ledger: how long one silent dependency can hold each scope",
            list(_screen(ledger.lines(report.ledger, report.simulated))),
        )
    if report.proofs:
        title = "Settings, proved by experiment"
        yield f"{title} ({len(report.proofs)})", list(_screen([*proofs.lines(report, every=True)]))
    if report.stalls:
        yield "Stall test: when a tool gives up on a silent server", list(_screen([*stalls.lines(report, every=True)]))
    idle = [each for each in report.rules if each.status is RuleStatus.NOT_APPLICABLE]
    left_out = [each for each in report.rules if each.status is RuleStatus.IGNORED and not each.ignored]
    if report.unexamined or idle or left_out:
        body = [f"- {_inline(each.subject)}: {_inline(each.reason)}" for each in report.unexamined]
        body += [f"- {each.code} {_code(each.slug)}: {_inline(each.reason)}" for each in (*left_out, *idle)]
        yield f"Not examined ({len(body)})", body


def _questions(questions: Iterable[Question]) -> Iterator[str]:
    yield "| | layer | question | subject | answer | took |"
    yield "|---|---|---|---|---|---:|"
    for each in questions:
        took = wording.seconds(each.seconds) if each.seconds is not None and each.status != "skipped" else ""
        label = _SIMULATED if each.simulated else ""
        told = (_cell(each.question), f"{_cell(each.subject, code=True)}{label}", _cell(each.answer), took)
        yield f"| {_STATUS.get(each.status, _WARN)} | {each.layer.value} | {' | '.join(told)} |"


def _screen(lines: Iterable[Line]) -> Iterator[str]:
    """Lines of the terminal report as they stand there."""
    rows = [" " * each.indent + "".join(text for text, _ in each.pieces).rstrip() for each in lines]
    while rows and not rows[0].strip():
        rows.pop(0)
    yield from _block(rows, "text")


def _block(rows: list[str], language: str) -> Iterator[str]:
    rows = [clean(row) for row in rows]
    longest = max((len(run) for row in rows for run in re.findall("`+", row)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}{language if language.isalnum() else ''}"
    yield from rows
    yield fence


def _foot(report: Report) -> list[str]:
    environment = report.environment
    versions = environment.get("versions") or {}
    told = [f"crewdoctor {report.crewdoctor}", report.target.removeprefix(f"{environment.get('project_root', '')}/")]
    told += [f"{name} {versions[name]}" for name in ("crewai", "openai", "httpx") if name in versions]
    python = environment.get("crew_python")
    told += [f"python {python}"] if python else []
    told += [f"input {each.name} from {each.source}" for each in report.inputs]
    told += [f"allowed to write: {name}" for name in environment.get("allowed_tools") or ()]
    told += [str(text) for text in environment.get("notes") or ()]
    ended = environment.get("program") or f"exit {report.exit_code}: {meaning(report)}"
    told += [str(ended), wording.seconds(report.seconds)]
    return [f"<sub>{' · '.join(_inline(each) for each in told)}</sub>"]


def _cell(text: str, *, code: bool = False) -> str:
    return (_code(text) if code else _inline(text)).replace("|", "\\|")


def _inline(text: str) -> str:
    """A sentence of ours: what stands between backticks is code, everything else is plain text."""
    parts = clean(text).split("`")
    if len(parts) % 2 == 0:
        parts[-2:] = [f"{parts[-2]}`{parts[-1]}"]
    told = "".join(_code(part) if number % 2 else _plain(part) for number, part in enumerate(parts))
    return _AT_START.sub(lambda match: f"{match[1]}\\{match[2]}", told)


def _plain(text: str) -> str:
    text = _SPECIAL.sub(lambda match: "\\" + match[0], text)
    text = html.escape(text, quote=False).replace("|", "&#124;")
    return _REFERS.sub(r"\1<!-- -->", text)


def _code(text: str) -> str:
    text = clean(text).strip()
    if not text:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{pad}{text}{pad}{fence}"
