"""The export against the rules of Chrome's trace event format, as Perfetto's importer reads it.

Source: "Trace Event Format" (Chromium project); Perfetto `trace_processor/importers/json`: slices of one track nest, a
flow's ends each lie within a slice of their track, instants name a scope, metadata has its own argument.
"""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from crewdoctor.model.layer import Layer
from crewdoctor.model.recording import Header, Recording
from crewdoctor.model.span import Span
from crewdoctor.pipeline import analyse
from crewdoctor.report import perfetto
from crewdoctor.wire.recording import read_recording

RECORDINGS = sorted((Path(__file__).parents[2] / "fixtures" / "recordings").glob("*/recording.jsonl"))
METADATA = {"process_name": str, "thread_name": str, "process_sort_index": int}
ARGUMENT = {"process_name": "name", "thread_name": "name", "process_sort_index": "sort_index"}
STEP = 0.15
"""Microseconds: times are rounded to a tenth."""


def broken_rules(text):
    """Every rule a document breaks, in words."""
    document = json.loads(text)
    if document.get("displayTimeUnit") not in {"ms", "ns"} or not isinstance(document.get("traceEvents"), list):
        yield "it is no JSON object format"
    slices, flows = defaultdict(list), defaultdict(list)
    for event in document["traceEvents"]:
        where = (event.get("pid"), event.get("tid"))
        if not all(isinstance(each, int) for each in where) or not isinstance(event.get("name"), str):
            yield f"without process, track or name: {event}"
        if event.get("ph") != "M" and not (isinstance(event.get("ts"), (int, float)) and event["ts"] >= 0):
            yield f"no time: {event}"
        yield from BY_PHASE.get(event.get("ph"), none_of_ours)(event)
        if event.get("ph") == "X":
            slices[where].append((event["ts"], event["ts"] + event["dur"]))
        elif event.get("ph") in {"s", "f"}:
            flows[event["id"]].append((event["ph"], where, event["ts"], event.get("bp")))
    for where, held in slices.items():
        yield from (f"{each} on {where}" for each in overlaps(held))
    for name, ends in flows.items():
        yield from a_flow(name, ends, slices)


def metadata(event):
    name = event["name"]
    if name not in METADATA or not isinstance(event["args"].get(ARGUMENT[name]), METADATA[name]):
        yield f"metadata nobody reads: {event}"


def a_slice(event):
    if not isinstance(event.get("dur"), (int, float)) or event["dur"] < 0 or not isinstance(event["cat"], str):
        yield f"no duration or category: {event}"


def an_instant(event):
    if event.get("s") not in {"g", "p", "t"}:
        yield f"an instant without a scope: {event}"


def none_of_ours(event):
    if event.get("ph") not in {"s", "f"}:
        yield f"a phase that is none of ours: {event.get('ph')}"


BY_PHASE = {"M": metadata, "X": a_slice, "i": an_instant}


def a_flow(name, ends, slices):
    if sorted(kind for kind, *_ in ends) != ["f", "s"]:
        yield f"a flow without both ends: {name}"
    for kind, where, at, binding in ends:
        if kind == "f" and binding != "e":
            yield f"a flow that binds to the next slice: {name}"
        if not any(start - STEP <= at <= end + STEP for start, end in slices[where]):
            yield f"a flow's end in no slice: {name} {kind}"


def overlaps(held):
    """Slices of one track that cut into each other."""
    going = []
    for start, end in sorted(held, key=lambda each: (each[0], -each[1])):
        while going and going[-1] <= start + STEP:
            going.pop()
        if going and end > going[-1] + STEP:
            yield f"{start}..{end} goes on after {going[-1]}"
        going.append(end)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.parent.name)
def test_an_export_keeps_the_formats_rules(path):
    held = read_recording(path)
    report = analyse(held)

    assert list(broken_rules(perfetto.render(report, recording=held))) == []
    assert list(broken_rules(perfetto.render(report))) == []


def span(name, step, number, start, end, parent=None, **attrs):
    return Span(number, step, name, start, end, Layer.TOOL, "tool:t", parent, None, attrs)


def test_a_child_process_within_a_span_of_its_parent_has_tracks_of_its_own():
    call = span("tool.call", "a", "1.1", 1.0, 9.0)
    others = [span("http.request", "a", f"1.{n}", 1.0 + n, 1.5 + n, "1.1", thread=f"T{n}") for n in (2, 3, 4)]
    child = span("http.request", "b", "2.1", 2.0, 20.0, others[-1].id, thread="M")
    recording = Recording(Header(), spans=(call, *others, child), end=20.0)
    text = perfetto.render(analyse(recording), recording=recording)

    assert list(broken_rules(text)) == []
    assert {each["pid"] for each in json.loads(text)["traceEvents"] if each["ph"] == "X"} == {1, 2}


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"ph": "X", "ts": 5, "dur": 10}, "goes on after"),
        ({"ph": "X", "ts": 1, "dur": -1}, "no duration"),
        ({"ph": "i", "ts": 1}, "scope"),
        ({"ph": "s", "ts": 1, "id": "x"}, "without both ends"),
        ({"ph": "Q", "ts": 1}, "none of ours"),
        ({"ph": "M", "args": {}}, "metadata"),
    ],
)
def test_a_rule_that_is_broken_is_told(event, said):
    sound = {"ph": "X", "pid": 1, "tid": 1, "name": "a", "cat": "c", "ts": 0, "dur": 8}
    document = {"displayTimeUnit": "ms", "traceEvents": [sound, {"pid": 1, "tid": 1, "name": "b", "cat": "c", **event}]}

    assert any(said in each for each in broken_rules(json.dumps(document)))
