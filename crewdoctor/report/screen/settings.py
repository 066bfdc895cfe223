"""The settings in force: value, and who says so."""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.report import Report
from crewdoctor.model.setting import Bound, Seconds, Setting
from crewdoctor.report.screen.line import Line, heading, line

_NAME, _VALUE = 31, 12


def lines(report: Report) -> Iterator[Line]:
    """A group per subject, in the inventory's order; what somebody wrote is bright, defaults are dim."""
    if not report.settings:
        return
    yield from heading("Settings in force")
    subject = ""
    for setting in report.settings:
        if setting.subject != subject:
            subject = setting.subject
            yield line((subject, "bold"), indent=2)
        yield _told(setting)


def _told(setting: Setting) -> Line:
    note = f"  {setting.note}" if setting.note and setting.written else ""
    shadows = setting.provenance.shadows
    note = f" (over {shadows}){note}" if shadows else note
    return line(
        (f"{setting.name:<{_NAME}}", "" if setting.written else "dim"),
        (f"{_value(setting):<{_VALUE}}", "bold" if setting.written else ""),
        (f"  {setting.provenance.where}", "cyan" if setting.written else "dim"),
        (note, "dim"),
        (f"  [{setting.verdict}]" if setting.verdict else "", ""),
        indent=4,
        hang=_NAME + _VALUE + 2,
    )


def _value(setting: Setting) -> str:
    value = setting.value
    if isinstance(value, (Seconds, Bound)):
        return wording.limit(value)
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
