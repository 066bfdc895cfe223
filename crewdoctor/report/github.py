"""The report as GitHub Actions reads it from a log: an annotation per finding, at its line of the repository.

The job summary is the Markdown report, appended to the file GITHUB_STEP_SUMMARY names.
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.finding import Finding, Severity
from crewdoctor.model.report import Report
from crewdoctor.report.exit_code import flat, meaning
from crewdoctor.report.told import excused, facts
from crewdoctor.wire.redact import clean

FORMAT = "github"
APPENDED = "GITHUB_STEP_SUMMARY markdown"

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(report: Report, *, workspace: str = "") -> str:
    """Return workflow commands and a few plain lines. `workspace`: the repository's folder, else the project's."""
    root = str(report.environment.get("project_root", ""))
    rows = [_plain(f"crewdoctor {report.crewdoctor}: {report.verdict}")]
    if report.simulated:
        rows.append(_plain("the model was SIMULATED by the embedded endpoint"))
    rows += [_command(finding, root, workspace or root) for finding in flat(report.findings)]
    rows += list(_notes(report))
    rows += [_plain(told) for outcome in report.rules for told in excused(outcome, root)]
    rows.append(_plain(f"exit {report.exit_code}: {meaning(report)}"))
    return "\n".join(rows) + "\n"


def _notes(report: Report) -> Iterator[str]:
    """Exposure from defaults: one line of the log, and no annotation."""
    told = report.longest_hang or (report.notes[0].message if report.notes else "")
    codes = ", ".join(dict.fromkeys(note.code for note in report.notes))
    if told:
        yield _plain(f"note: {told}{f' ({codes})' if codes else ''}")
    for text in report.environment.get("notes") or ():
        yield _plain(str(text))


def _command(finding: Finding, root: str, workspace: str) -> str:
    label = " (SIMULATED)" if finding.attrs.get("simulated") else ""
    properties = {
        **_place(finding, root, workspace),
        "title": f"{finding.code} {finding.slug}: {finding.subject}{label}",
    }
    told = [finding.message, *(f"{name}: {text}" for name, text in facts(finding, root))]
    told += finding.fix.code.splitlines() if finding.fix else []
    told.append(f"more: crewdoctor explain {finding.code}")
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{_COMMANDS[finding.severity]} {listed}::{'%0A'.join(_data(row) for row in told)}"


def _place(finding: Finding, root: str, workspace: str) -> dict[str, str]:
    """File and line, where the file lies in the repository: GitHub shows no other."""
    where = finding.location
    if where is None:
        return {}
    folder = f"{workspace.rstrip('/')}/" if workspace else ""
    file = where.file if where.file.startswith("/") or not root else f"{root.rstrip('/')}/{where.file}"
    file = file.removeprefix(folder)
    return {} if file.startswith("/") else {"file": file, "line": str(where.line)}


def _data(text: str) -> str:
    return clean(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _plain(text: str) -> str:
    """A line of the log that is no command, whatever it holds: `::name` counts at its start, `##[name]` anywhere."""
    told = clean(text).replace("##[", "# #[")
    return f"crewdoctor: {told}" if told.lstrip().startswith("::") else told
