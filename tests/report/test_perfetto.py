"""The Chrome trace of a recording: what viewers need of it, by the format's own description."""

import json
from pathlib import Path

import jsonschema
import pytest

from crewdoctor import pipeline
from crewdoctor.cli import outputs
from crewdoctor.report import formats
from crewdoctor.wire.recording import read_recording

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = sorted((ROOT / "fixtures" / "recordings").glob("*/recording.jsonl"))
NUMBER, TEXT, WHOLE = {"type": "number"}, {"type": "string"}, {"type": "integer", "minimum": 0}
AT = {"ts": NUMBER, "pid": WHOLE, "tid": WHOLE, "name": TEXT}


def kind(phase, required, **properties):
    every = {"ph": {"const": phase}, **AT, **properties}
    return {"type": "object", "properties": every, "required": ["ph", "pid", "tid", "name", *required]}


SCHEMA = {
    "type": "object",
    "required": ["traceEvents", "displayTimeUnit"],
    "properties": {
        "displayTimeUnit": {"enum": ["ms", "ns"]},
        "traceEvents": {
            "type": "array",
            "items": {
                "oneOf": [
                    kind("M", ["args"], name={"enum": ["process_name", "thread_name", "process_sort_index"]}),
                    kind("X", ["ts", "dur", "args"], dur={"type": "number", "minimum": 0}, args={"type": "object"}),
                    kind("i", ["ts", "s"], s={"enum": ["g", "p", "t"]}),
                    kind("s", ["ts", "id"]),
                    kind("f", ["ts", "id", "bp"], bp={"const": "e"}),
                ]
            },
        },
    },
}


def traced(path):
    recording = read_recording(path)
    return recording, json.loads(formats.render(pipeline.analyse(recording), "perfetto", recording=recording))


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.parent.name)
def test_a_viewer_can_read_it(path):
    recording, trace = traced(path)
    jsonschema.validate(trace, SCHEMA)
    events = trace["traceEvents"]
    slices = [each for each in events if each["ph"] == "X"]

    assert {each["args"]["id"] for each in slices} == {span.id for span in recording.spans}
    assert len([each for each in events if each["ph"] == "i" and each["pid"]]) == len(
        (*recording.events, *recording.stacks)
    )
    named = {(each["pid"], each["tid"]) for each in events if each["name"] == "thread_name"}
    assert {(each["pid"], each["tid"]) for each in slices} <= named
    for track in named:
        _nested([each for each in slices if (each["pid"], each["tid"]) == track])


def _nested(slices):
    """On one track slices lie within each other or apart; a viewer draws nothing of what overlaps."""
    going = []
    for each in sorted(slices, key=lambda one: (one["ts"], -one["dur"])):
        end = each["ts"] + each["dur"]
        while going and going[-1] <= each["ts"] + 0.2:
            going.pop()
        assert not going or end <= going[-1] + 0.2
        going.append(end)


def test_what_never_ended_lasts_to_the_end_of_its_step_and_says_so():
    recording, trace = traced(ROOT / "fixtures" / "recordings" / "cd304_fires" / "recording.jsonl")
    (open_span,) = [span for span in recording.spans if span.open and span.name == "tool.call"]
    (shown,) = [each for each in trace["traceEvents"] if each.get("args", {}).get("id") == open_span.id]
    (result,) = [each for each in recording.results if each.step.id == open_span.step]

    assert shown["name"] == "tool.call (never ended)"
    assert shown["ts"] + shown["dur"] == pytest.approx(result.end * 1e6, abs=1)
    blocked = [each for each in trace["traceEvents"] if each["name"].startswith("blocked: recv at tools.py:57")]
    assert blocked
    assert {each["tid"] for each in blocked} == {shown["tid"]}


def test_an_attempt_on_another_track_is_tied_to_its_call():
    _, trace = traced(ROOT / "fixtures" / "recordings" / "cd213_fires" / "recording.jsonl")
    events = trace["traceEvents"]
    starts, ends = ({each["id"]: each for each in events if each["ph"] == phase} for phase in "sf")

    assert starts
    assert starts.keys() == ends.keys()
    for flow, start in starts.items():
        (attempt,) = [each for each in events if each.get("args", {}).get("id") == flow]
        assert (attempt["name"], attempt["tid"]) == ("http.request", ends[flow]["tid"])
        assert start["tid"] != ends[flow]["tid"]


def test_a_file_called_trace_json_is_one(tmp_path):
    names = ("trace.json", "run.trace.json", "report.json", "x.perfetto", "json", "report.md")
    told = [formats.of_file(name) for name in names]
    assert told == ["perfetto", "perfetto", "json", "perfetto", None, "markdown"]
    (outlet,) = outputs.outlets(["perfetto"], [tmp_path / "trace.json"])
    assert (outlet.format, outlet.file) == ("perfetto", tmp_path / "trace.json")
