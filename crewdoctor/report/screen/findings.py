"""Findings: the first one large, each with its two numbers, its place, its fix; what it explains dim beneath it."""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.finding import Finding, Quantity, Severity
from crewdoctor.model.setting import Bound, Location, Seconds
from crewdoctor.report.screen.line import BLANK, Line, line, simulated

STYLE = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "cyan"}
_RULE = "\N{BOX DRAWINGS HEAVY HORIZONTAL}"
_INDENT = 2
_LABEL = 10


def lines(findings: tuple[Finding, ...], root: str, width: int, *, every: bool = False) -> Iterator[Line]:
    """All findings, roots in order. `root`: the project's folder, cut from paths. `every`: evidence ids, too."""
    for number, finding in enumerate(findings, 1):
        yield line((_RULE * width, STYLE[finding.severity])) if number == 1 else BLANK
        yield _title(finding, number, len(findings))
        yield line((finding.message, "bold" if number == 1 else ""), indent=_INDENT)
        yield from _facts(finding, root)
        if every:
            yield _fact("evidence", ", ".join(finding.evidence), "dim")
        yield from _explained(finding)


def place(location: Location, root: str) -> str:
    """`tools.py:57`, relative to the project where it lies within."""
    inside = root and location.file.startswith(f"{root.rstrip('/')}/")
    file = location.file[len(root.rstrip("/")) + 1 :] if inside else location.file
    return f"{file}:{location.line}" + (f" in {location.function}" if location.function else "")


def figure(quantity: Quantity, *, exact: bool = False) -> str:
    """`first byte: 12.3 s (n=5)`, `timeout.read: no limit`, `requests: 9`. `exact`: as it was written."""
    value = quantity.value
    if isinstance(value, Seconds):
        told = wording.exact(value.value) if exact else wording.seconds(value.value)
    elif isinstance(value, Bound):
        told = wording.limit(value)
    elif quantity.unit == "s" and isinstance(value, (int, float)) and not isinstance(value, bool):
        told = wording.exact(value) if exact else wording.seconds(value)
    else:
        told = f"{value} {quantity.unit}".rstrip() if quantity.unit != "s" else str(value)
    sample = f" (n={quantity.n})" if quantity.n is not None else ""
    return f"{quantity.name}: {told}{sample}"


def _title(finding: Finding, number: int, total: int) -> Line:
    style = STYLE[finding.severity]
    count = (f"{number}/{total}  ", "dim") if total > 1 else ("", "")
    return line(
        count,
        (f"{finding.code} {finding.slug}", style),
        (f"  {finding.severity.value}", style),
        (f"  layer {finding.layer.value}", ""),
        (f"  {finding.subject}", "bold"),
        simulated(mark=bool(finding.attrs.get("simulated"))),
        hang=_INDENT,
    )


def _facts(finding: Finding, root: str) -> Iterator[Line]:
    if finding.measured is not None and finding.limit is not None:
        yield _fact("measured", figure(finding.measured))
        where = f", {finding.limit.where}" if finding.limit.where else ""
        yield _fact("limit", figure(finding.limit, exact=True) + where)
    if finding.location is not None:
        yield _fact("at", place(finding.location, root))
        if finding.location.source:
            yield line((finding.location.source, "cyan"), indent=_INDENT + _LABEL)
    if finding.fix is not None:
        yield _fact("fix", finding.fix.title, "green")
        for code in finding.fix.code.splitlines():
            yield line((code, "green"), indent=_INDENT + _LABEL, code=True)
    yield _fact("more", f"crewdoctor explain {finding.code}", "dim")


def _fact(label: str, text: str, style: str = "") -> Line:
    return line((f"{label:<{_LABEL}}", "dim"), (text, style), indent=_INDENT, hang=_LABEL)


def _explained(finding: Finding) -> Iterator[Line]:
    for each in finding.explained:
        told = f"{each.code} {each.subject}: {each.message}"
        yield line(("explains  ", "dim"), (told, "dim"), indent=_INDENT, hang=_LABEL)
        yield from _explained(each)
