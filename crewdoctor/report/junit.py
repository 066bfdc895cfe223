"""The report as JUnit XML: one suite per layer, one case per question and per rule. For CI.

A case fails where a finding at or above `--fail-on` stands against it; an error is what could not be diagnosed; a
case is skipped, with the reason, where nothing was there to look at. Names do not change with the outcome, so that CI
can tell the history of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from crewdoctor.model.finding import Finding, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.report import Question, Report
from crewdoctor.model.rule import RuleOutcome, RuleStatus
from crewdoctor.report.exit_code import flat
from crewdoctor.report.told import about, excused
from crewdoctor.wire.redact import clean

FORMAT = "junit"
SUFFIXES = "xml"

_OWN = "itself"
"""The suite of rules about crewdoctor's own work, and of what nobody examined."""
_FAMILIES = {
    "CD1": Layer.NETWORK,
    "CD2": Layer.LLM,
    "CD3": Layer.TOOL,
    "CD4": Layer.AGENT,
    "CD5": Layer.CREW,
    "CD6": Layer.CREW,
    "CD7": Layer.ENVIRONMENT,
}
_OPEN = frozenset({"failed", "killed", "crashed"})
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters no XML document may hold."""


@dataclass(slots=True)
class _Case:
    name: str
    seconds: float = 0.0
    outcome: str = ""
    """`failure`, `error`, `skipped`; empty: it passed."""
    kind: str = ""
    message: str = ""
    body: tuple[str, ...] = ()


@dataclass(slots=True)
class _Suite:
    name: str
    cases: list[_Case] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """What stands in its output: findings below --fail-on, ignored ones, notes."""


def render(report: Report) -> str:
    """Return one XML document, in the order Ant wrote and its readers still expect."""
    suites = _suites(report)
    rows = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for number, suite in enumerate(suites):
        rows += _suite(suite, number, report)
    return "\n".join((*rows, "</testsuites>")) + "\n"


def _suites(report: Report) -> list[_Suite]:
    suites = {name: _Suite(name) for name in (*(layer.value for layer in Layer), _OWN)}
    grave = {each.code for each in flat(report.findings) if _fails(each, report)}
    for question in report.questions:
        _add(suites[question.layer.value], _asked(question, grave))
    told_of = {each.code for each in report.rules}
    orphans = {each.code: each.slug for each in flat(report.findings) if each.code not in told_of}
    for outcome in (*report.rules, *(RuleOutcome(code, slug, RuleStatus.FOUND) for code, slug in orphans.items())):
        suite = suites[_FAMILIES[outcome.code[:3]].value if outcome.code[:3] in _FAMILIES else _OWN]
        _add(suite, _ruled(outcome, report))
        suite.told += excused(outcome, str(report.environment.get("project_root", "")))
    for finding in (*flat(report.findings), *report.notes):
        if not _fails(finding, report):
            suites[finding.layer.value].told += [*about(finding, report), ""]
    answered = {each.answer for each in report.questions}
    for left in report.unexamined:
        if left.reason not in answered:
            _add(suites[_OWN], _Case(f"examined: {left.subject}", outcome="skipped", message=left.reason))
    suites[_OWN].told += [str(text) for text in (*report.environment.get("notes", ()), report.longest_hang) if text]
    return [suite for suite in suites.values() if suite.cases or suite.told]


def _add(suite: _Suite, case: _Case) -> None:
    """Names are unique in a suite: readers take two of the same for one."""
    taken = {each.name for each in suite.cases}
    case.name = name = " ".join(case.name.split())
    number = 1
    while case.name in taken:
        number += 1
        case.name = f"{name} ({number})"
    suite.cases.append(case)


def _asked(question: Question, grave: set[str]) -> _Case:
    told = f"{question.question} [{question.subject}]{' SIMULATED' if question.simulated else ''}"
    case = _Case(told, question.seconds or 0.0, message=question.answer or question.status)
    if question.status in _OPEN:
        case.outcome, case.kind = "error", question.status
    elif question.status == "skipped":
        case.outcome = "skipped"
    elif question.status == "finding" and grave & set(question.answer.split(", ")):
        case.outcome, case.kind = "failure", "question"
        case.message = f"it does not hold: {question.answer}"
    return case


def _ruled(outcome: RuleOutcome, report: Report) -> _Case:
    case = _Case(f"{outcome.code} {outcome.slug}", message=outcome.reason)
    if outcome.status is RuleStatus.FAILED:
        case.outcome, case.kind = "error", "defect"
    elif outcome.status in {RuleStatus.NOT_APPLICABLE, RuleStatus.IGNORED}:
        case.outcome = "skipped"
    if outcome.status is RuleStatus.IGNORED and outcome.ignored:
        case.message = "; ".join(excused(outcome, str(report.environment.get("project_root", ""))))
    found = [each for each in flat(report.findings) if each.code == outcome.code and _fails(each, report)]
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        case.outcome, case.kind = "failure", found[0].severity.value
        case.message = f"{found[0].subject}: {found[0].message}{more}"
        case.body = tuple(row for each in found for row in (*about(each, report), ""))
    return case


def _fails(finding: Finding, report: Report) -> bool:
    fail_on = str(report.environment.get("fail_on", Severity.ERROR.value))
    return fail_on != "never" and finding.severity.rank <= Severity(fail_on).rank


def _suite(suite: _Suite, number: int, report: Report) -> Iterator[str]:
    package = f'package="crewdoctor" id="{number}" hostname="localhost" timestamp={_value(report.started[:19])}'
    skipped = sum(case.outcome == "skipped" for case in suite.cases)
    yield f'  <testsuite {_tally(suite)} skipped="{skipped}" {package}>'
    yield "    <properties>"
    for name, value in _properties(report).items():
        yield f'      <property name="{name}" value={_value(value)}/>'
    yield "    </properties>"
    for case in suite.cases:
        yield from _case(case, suite.name)
    yield f"    <system-out>{_text(suite.told)}</system-out>"
    yield "    <system-err></system-err>"
    yield "  </testsuite>"


def _properties(report: Report) -> dict[str, str]:
    facts = report.environment
    versions = {f"version.{name}": str(value) for name, value in (facts.get("versions") or {}).items()}
    return {
        "crewdoctor": report.crewdoctor,
        "target": report.target,
        "crew": report.crew,
        "verdict": report.verdict,
        "exit_code": str(report.exit_code),
        "fail_on": str(facts.get("fail_on", "")),
        "simulated": ", ".join(report.simulated),
        "python": str(facts.get("crew_python") or facts.get("python") or ""),
        **{name: versions[name] for name in ("version.crewai", "version.openai", "version.httpx") if name in versions},
    }


def _case(case: _Case, layer: str) -> Iterator[str]:
    head = f'    <testcase name={_value(case.name)} classname="crewdoctor.{layer}" time="{case.seconds:.3f}"'
    if not case.outcome:
        yield f"{head}/>"
        return
    yield f"{head}>"
    kind = f" type={_value(case.kind)}" if case.kind else ""
    yield f"      <{case.outcome} message={_value(case.message)}{kind}>{_text(case.body)}</{case.outcome}>"
    yield "    </testcase>"


def _tally(suite: _Suite) -> str:
    failures, errors = (sum(case.outcome == kind for case in suite.cases) for kind in ("failure", "error"))
    took = sum(case.seconds for case in suite.cases)
    counted = f'tests="{len(suite.cases)}" failures="{failures}" errors="{errors}"'
    return f'name="{suite.name}" {counted} time="{took:.3f}"'


def _value(text: str) -> str:
    return quoteattr(_FORBIDDEN.sub("?", clean(text)))


def _text(rows: tuple[str, ...] | list[str]) -> str:
    return escape("\n".join(_FORBIDDEN.sub("?", clean(row)) for row in rows).rstrip())
