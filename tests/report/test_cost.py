"""What recording has cost stands in the report."""

import json

from crewdoctor.model.options import Options
from crewdoctor.pipeline import analyse
from crewdoctor.report import formats
from crewdoctor.wire.recording import RecordingWriter, header, read_recording


def test_seconds_bytes_and_spans_of_every_step_are_added_up(tmp_path):
    writer = RecordingWriter(tmp_path / "r.jsonl")
    writer.write(header(Options()))
    for number in (1, 2):
        cost = {"seconds": 0.25, "bytes": 1_500_000, "spans": 700}
        writer.write({"k": "end", "step": f"s@{number}", "at": 1.0, "status": "ok", "reason": "", "recorder": cost})
    writer.write({"k": "last", "at": 2.0, "interrupted": ""})
    writer.close()
    report = analyse(read_recording(tmp_path / "r.jsonl"))

    told = {"seconds": 0.5, "bytes": 3_000_000.0, "spans": 1400.0}
    assert json.loads(formats.render(report, "json"))["environment"]["recorder"] == told
    line = "recording: 1400 spans, 3.0 MB, written in 0.5"
    assert line in formats.render(report, "rich", verbosity=1)
    assert line not in formats.render(report, "rich")
