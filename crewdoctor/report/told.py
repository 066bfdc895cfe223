"""A finding in plain lines, as every format without a screen of its own tells it."""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.finding import Finding
from crewdoctor.model.report import Report
from crewdoctor.model.rule import RuleOutcome
from crewdoctor.report.screen.findings import figure, place


def title(finding: Finding) -> str:
    """`CD304 tool_hangs: error, layer tool, tool:search`."""
    label = ", SIMULATED model" if finding.attrs.get("simulated") else ""
    where = f"layer {finding.layer.value}, {finding.subject}{label}"
    return f"{finding.code} {finding.slug}: {finding.severity.value}, {where}"


def facts(finding: Finding, root: str) -> Iterator[tuple[str, str]]:
    """Label and text of all that is known beside the sentence; the code of a fix stands apart."""
    if finding.measured is not None and finding.limit is not None:
        yield "measured", figure(finding.measured)
        where = f", {finding.limit.where}" if finding.limit.where else ""
        yield "limit", figure(finding.limit, exact=True) + where
    if finding.location is not None:
        yield "at", place(finding.location, root)
    if finding.fix is not None:
        yield "fix", finding.fix.title


def about(finding: Finding, report: Report) -> Iterator[str]:
    """Title, sentence, both numbers, place, fix and where to read on."""
    yield title(finding)
    yield finding.message
    for label, text in facts(finding, str(report.environment.get("project_root", ""))):
        yield f"{label + ':':<10}{text}"
        if label == "at" and finding.location is not None and finding.location.source:
            yield f"          {finding.location.source}"
    for row in finding.fix.code.splitlines() if finding.fix else ():
        yield f"          {row}"
    yield f"{'evidence:':<10}{', '.join(finding.evidence)}"
    yield f"{'more:':<10}crewdoctor explain {finding.code}"


def excused(outcome: RuleOutcome, root: str) -> Iterator[str]:
    """One line for each finding a comment in the source keeps out, with the reason given."""
    for each in outcome.ignored:
        place_and_reason = f"{wording.place(each.location, root)}, reason: {each.reason or 'none given'}"
        yield f"ignored in source: {outcome.code} {each.subject} at {place_and_reason}"
