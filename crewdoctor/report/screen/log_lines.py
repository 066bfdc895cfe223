"""What crewAI and the SDKs said while a program was recorded with `-v`: lines on the program's own clock."""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.report import Report
from crewdoctor.report.screen.line import Line, heading, line
from crewdoctor.wire.redact import clean

_MOST = 60


def log_lines(report: Report) -> Iterator[Line]:
    """The last of them, with seconds since the recording's zero."""
    told = report.environment.get("log_lines") or {}
    held = told.get("lines") or ()
    if not held:
        return
    yield from heading("Said by CrewAI and the SDKs (without content)")
    left_out = int(told.get("count", 0)) - len(held[-_MOST:])
    if left_out > 0:
        yield line((f"... {left_out} before these; the recording has them", "dim"), indent=2)
    for each in held[-_MOST:]:
        yield line(
            (f"{float(each['at']):>9.3f} s  ", "dim"),
            f"{clean(str(each['logger']))}  {clean(str(each['text']))}",
            indent=2,
            hang=14,
        )
