"""What people read for a model that several agents share: itself, not the agent that happens to come first. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from crewdoctor import wording
from crewdoctor.model.finding import Finding
from crewdoctor.model.report import Report, Scope

_FEW = 3


def shared_models(report: Report) -> dict[str, str]:
    """Subject of every model with several users, to `gpt-4o (shared by writer and editor)`."""
    held = report.environment.get("models") or ()
    return {
        str(each["subject"]): f"{each['model']} ({_users(each['users'])})"
        for each in held
        if len(set(each.get("users") or ())) > 1
    }


def readable(text: str, names: dict[str, str]) -> str:
    """`text` with each subject of `names` as people read it."""
    for subject, name in names.items():
        text = re.sub(rf"(?<![\w/]){re.escape(subject)}(?![\w/#])", name.replace("\\", r"\\"), text)
    return text


def named(report: Report) -> Report:
    """The report with its sentences naming shared models; subjects, which other programs read, stay as they are."""
    names = shared_models(report)
    if not names:
        return report
    return replace(
        report,
        verdict=readable(report.verdict, names),
        longest_hang=readable(report.longest_hang, names),
        findings=_findings(report.findings, names),
        notes=_findings(report.notes, names),
        ledger=tuple(_scope(scope, names) for scope in report.ledger),
    )


def _users(users: Iterable[str]) -> str:
    held = list(dict.fromkeys(_user(each) for each in users))
    if len(held) == 1:
        return f"of {held[0]}"
    more = [f"{len(held) - _FEW} more"] if len(held) > _FEW else []
    return f"shared by {wording.joined([*held[:_FEW], *more])}"


def _user(subject: str) -> str:
    owner, _, part = subject.rpartition("/")
    name = owner.partition(":")[2]
    return name or f"the crew's {part.removesuffix('_llm')}"


def _findings(findings: Iterable[Finding], names: dict[str, str]) -> tuple[Finding, ...]:
    return tuple(
        replace(each, message=readable(each.message, names), explained=_findings(each.explained, names))
        for each in findings
    )


def _scope(scope: Scope, names: dict[str, str]) -> Scope:
    return replace(
        scope,
        formula=readable(scope.formula, names),
        inversion=readable(scope.inversion, names),
        children=tuple(_scope(each, names) for each in scope.children),
    )
