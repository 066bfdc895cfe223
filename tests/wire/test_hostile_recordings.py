"""Whatever stands in a recording or comes down a pipe: readers never raise, and never lose what came before."""

import copy
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.pipeline import analyse
from crewdoctor.report import formats
from crewdoctor.supervisor.live import LiveStep
from crewdoctor.wire.fold import Fold
from crewdoctor.wire.frames import FRAME_KINDS, RECORD_KINDS, from_line
from crewdoctor.wire.recording import RecordingError, read_recording

RECORDINGS = Path(__file__).resolve().parents[2] / "fixtures" / "recordings"
FILES = [RECORDINGS / name / "recording.jsonl" for name in ("cd304_fires", "cd306_fires", "cd213_fires")]
WHOLE = [file.read_bytes() for file in FILES]
HEADER = WHOLE[0].splitlines(keepends=True)[0]

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.sampled_from([1e999, -1e999, 2**53, 10**4000]),
    st.text(max_size=12),
    st.sampled_from(
        ["1.1", "9.1", "span", "tool", "http.request", "net.exchange", "tool.call", "open", "\ud800", "\x00"]
    ),
)
values = st.recursive(
    odd,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = [
    *("id", "step", "name", "start", "end", "at", "layer", "subject", "parent", "failure", "attrs", "spans", "value"),
    *("text", "pid", "status", "reason", "frames", "user_frame", "thread", "seconds", "waiting", "span", "header"),
    *("inventory", "plan", "result", "subjects", "interrupted", "stage"),
]
records = st.fixed_dictionaries({"k": st.sampled_from(RECORD_KINDS)}, optional=dict.fromkeys(MEMBERS, values))


def dumped(record):
    return json.dumps(record, default=repr).encode()


@contextmanager
def held(data):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recording.jsonl"
        file.write_bytes(data)
        yield file


def read(data):
    """The recording, or None where the file says of itself that it is none."""
    with held(data) as file:
        try:
            return read_recording(file)
        except RecordingError:
            return None


def told(recording):
    """Analysed, and rendered in every format there is."""
    report = analyse(recording)
    for name in formats.formats():
        formats.render(report, name)
    return report


@st.composite
def damaged(draw):
    """A real recording after something happened to its lines."""
    lines = draw(st.sampled_from(WHOLE)).splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(1, len(lines) - 1))
        how = draw(st.sampled_from(["drop", "twice", "swap", "cut", "garble", "member", "insert"]))
        if how == "drop":
            del lines[at]
            if len(lines) < 3:
                break
        elif how == "twice":
            lines.insert(draw(st.integers(1, len(lines) - 1)), lines[at])
        elif how == "swap":
            other = draw(st.integers(1, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        elif how == "cut":
            lines[at] = lines[at][: draw(st.integers(0, len(lines[at]) - 1))] + b"\n"
        elif how == "garble":
            line = bytearray(lines[at])
            line[draw(st.integers(0, len(line) - 1))] = draw(st.integers(0, 255))
            lines[at] = bytes(line)
        elif how == "member":
            lines[at] = _changed(lines[at], draw)
        else:
            lines.insert(at, dumped(draw(records)) + b"\n")
    return b"".join(lines)


def _changed(line, draw):
    """One member, at any depth, replaced by something odd."""
    record = from_line(line)
    if record is None:
        return line
    record = copy.deepcopy(record)
    here = record
    while True:
        places = [name for name in here if name != "k"] if isinstance(here, dict) else list(range(len(here)))
        if not places:
            return line
        place = draw(st.sampled_from(places))
        if isinstance(here[place], (dict, list)) and here[place] and draw(st.booleans()):
            here = here[place]
            continue
        here[place] = draw(values)
        return dumped(record) + b"\n"


@given(damaged())
def test_a_damaged_recording_is_analysed_and_rendered(data):
    recording = read(data)
    if recording is not None:
        told(recording)


@given(st.lists(records, max_size=12))
def test_hostile_records_are_taken_or_counted(made):
    recording = read(HEADER + b"".join(dumped(each) + b"\n" for each in made))
    if recording is not None:
        told(recording)


@given(st.integers(0, len(FILES) - 1), st.floats(0, 1))
def test_cut_at_any_byte_all_that_came_before_is_there(number, where):
    data = WHOLE[number]
    cut = data[: int(where * len(data))]
    recording = read(cut)
    if b"\n" not in cut:
        assert recording is None
        return
    whole = read(cut[: cut.rfind(b"\n") + 1])
    assert recording == whole
    assert recording.interrupted == ("truncated" if cut.count(b"\n") < data.count(b"\n") else "")
    told(recording)


@given(st.lists(st.binary(max_size=40) | records.map(dumped), max_size=8))
def test_what_comes_after_takes_nothing_of_what_came_before(made):
    fold = Fold()
    for line in WHOLE[0].splitlines(keepends=True):
        fold.add(line)
    before = fold.recording()
    known = {span.id for span in before.spans}
    for line in made:
        fold.add(line.replace(b"\n", b" ") + b"\n")
    after = fold.recording()
    assert known <= {span.id for span in after.spans}
    assert after.results[: len(before.results)] == before.results or len(after.results) >= len(before.results)
    assert len(after.events) >= len(before.events)
    assert len(after.stacks) >= len(before.stacks)


@given(st.lists(st.binary(max_size=60) | records.map(dumped), max_size=10), st.integers(1, 50))
def test_a_step_survives_whatever_comes_down_its_pipe(made, size):
    live = LiveStep(Step("tool.isolated@tool:x", "tool.isolated", Layer.TOOL, "tool:x", "loaded", 9.0), 1, 0.0, 0.0)
    data = b"".join(each.replace(b"\n", b" ") + b"\n" for each in made)
    frames = [frame for at in range(0, len(data), size) for frame in live.feed(data[at : at + size])]
    fold = Fold()
    for frame in frames:
        assert frame["k"] in FRAME_KINDS
        fold.add(dumped(frame) + b"\n")
    assert live.deadline < 1e11
    assert isinstance(live.waiting, str)
    assert isinstance(live.last_words, str)


@pytest.mark.parametrize(
    "line",
    [
        b'{"k":"open","id":"1.1","step":"s","name":"x","start":NaN,"layer":"tool"}\n',
        b'{"k":"open","id":"1.1","step":"s","name":"x","start":1e999,"layer":"tool"}\n',
        b'{"k":"own","at":%s}\n' % (b"9" * 6000),
        b'{"k":"own","at":1,"text":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        b'{"k":"event","id":"1","step":"s","name":"\xff\xfe","at":1}\n',
        b'{"k":"close","id":["1.1"],"end":1}\n',
        b'{"k":["open"]}\n',
        b'{"k":"dropped","step":"s","at":1,"spans":[1]}\n',
        b'{"k":"simulated","subjects":3}\n',
        b"\x00" * 1000 + b"\n",
    ],
)
def test_a_line_that_is_no_record_is_counted(line):
    fold = Fold()
    fold.add(HEADER)
    fold.add(line)
    recording = fold.recording()
    assert "1 unreadable lines were skipped" in [note["text"] for note in recording.notes]
    told(recording)


def test_a_line_without_an_end_does_not_fill_the_memory():
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recording.jsonl"
        with file.open("wb") as writing:
            writing.write(WHOLE[0][: -len(WHOLE[0].splitlines(keepends=True)[-1])])
            os.truncate(writing.fileno(), 0)
            writing.seek(0)
            writing.write(WHOLE[0] + b'{"k":"own","text":"')
            for _ in range(20):
                writing.write(b"x" * (1 << 20))
            writing.write(b'"}\n')
        assert "1 unreadable lines were skipped" in [note["text"] for note in read_recording(file).notes]


def test_spans_that_lie_beneath_themselves_are_cut_loose():
    fold = Fold()
    fold.add(HEADER)
    for number in range(1, 1500):
        above = number - 1 if number > 3 else {1: 3, 2: 1, 3: 2}[number]
        fold.add(
            dumped(
                {
                    "k": "open",
                    "id": f"1.{number}",
                    "step": "s",
                    "name": "x",
                    "start": number,
                    "layer": "tool",
                    "parent": f"1.{above}",
                }
            )
            + b"\n"
        )
    recording = fold.recording()
    parents = {span.id: span.parent for span in recording.spans}
    for span in recording.spans:
        steps, here = 0, span.id
        while here is not None:
            here, steps = parents.get(here), steps + 1
            assert steps <= 201
    told(recording)
