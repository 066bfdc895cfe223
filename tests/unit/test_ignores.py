"""`# crewdoctor: ignore[CD301] reason`: left out of the findings, never out of sight."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from crewdoctor import pipeline
from crewdoctor.model.rule import RuleStatus
from crewdoctor.report import formats
from crewdoctor.wire.codec import encode
from crewdoctor.wire.recording import read_recording

RECORDINGS = Path(__file__).resolve().parents[2] / "fixtures" / "recordings"
CALL = 'requests.get(ENDPOINT + "/search").text'


def commented(tmp_path, name, comment):
    """A recording as it would be, had the line of the call carried a comment."""
    text = (RECORDINGS / name / "recording.jsonl").read_text()
    escaped = json.dumps(CALL)[1:-1]
    assert escaped in text
    file = tmp_path / "recording.jsonl"
    file.write_text(text.replace(escaped, escaped + json.dumps("  " + comment)[1:-1]))
    return read_recording(file)


def test_an_ignored_finding_changes_the_exit_code_and_stays_visible_with_its_reason(tmp_path):
    held = commented(tmp_path, "cd301_fires", "# crewdoctor: ignore[CD301] the service is ours")
    held = replace(held, header=replace(held.header, options=replace(held.header.options, fail_on="warning")))
    before = pipeline.analyse(read_recording(RECORDINGS / "cd301_fires" / "recording.jsonl"))
    report = pipeline.analyse(held)
    outcome = next(each for each in report.rules if each.code == "CD301")

    assert [each.code for each in before.findings] == ["CD301"]
    assert report.findings == ()
    assert report.exit_code == 0
    assert report.verdict.startswith("no mismatch found but 1 finding ignored in source")
    assert outcome.status is RuleStatus.IGNORED
    assert [(each.subject, each.reason, each.location.line) for each in outcome.ignored] == [
        ("tool:search", "the service is ours", 57)
    ]


@pytest.mark.parametrize("name", formats.formats())
def test_every_format_shows_what_was_ignored_and_why(tmp_path, name):
    report = pipeline.analyse(commented(tmp_path, "cd301_fires", "# crewdoctor: ignore[CD301] the service is ours"))

    text = formats.render(report, name, width=120, verbosity=-1)

    assert "CD301" in text
    assert "tools.py" in text
    assert "the service is ours" in text


def test_another_code_on_the_same_line_is_kept(tmp_path):
    report = pipeline.analyse(commented(tmp_path, "cd304_fires", "# crewdoctor: ignore[CD301, cd999] known"))
    codes = {each.code for finding in report.findings for each in (finding, *finding.explained)}

    assert codes == {"CD304"}
    assert report.exit_code == 1


@pytest.mark.parametrize(
    ("comment", "reason"),
    [
        ("# crewdoctor: ignore[CD301]", ""),
        ("# crewdoctor: ignore[cd301]: ends within a second", "ends within a second"),
        ("#crewdoctor:ignore[CD304,CD301] - see #12", "see #12"),
        ("# noqa: S113  # crewdoctor: ignore[CD301] batch job", "batch job"),
    ],
)
def test_how_it_may_be_written(tmp_path, comment, reason):
    report = pipeline.analyse(commented(tmp_path, "cd301_fires", comment))

    assert [each.reason for outcome in report.rules for each in outcome.ignored] == [reason]


@pytest.mark.parametrize("comment", ["# crewdoctor: ignore", "# crewdoctor: ignore[]", "# crewdoctor: ignore[CD3]"])
def test_what_names_no_code_ignores_nothing(tmp_path, comment):
    report = pipeline.analyse(commented(tmp_path, "cd301_fires", comment))

    assert [each.code for each in report.findings] == ["CD301"]


def test_it_is_in_the_json_report(tmp_path):
    report = pipeline.analyse(commented(tmp_path, "cd301_fires", "# crewdoctor: ignore[CD301] why"))

    rules = json.loads(formats.render(report, "json"))["rules"]
    assert next(each for each in rules if each["code"] == "CD301")["ignored"] == [
        encode(next(each for each in report.rules if each.code == "CD301").ignored[0])
    ]
