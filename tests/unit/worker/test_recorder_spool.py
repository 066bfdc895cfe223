"""What the recorder owes: order, promptness, bounds, and the same words fast as slow."""

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crewdoctor.model.layer import Layer
from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.wire import redact
from crewdoctor.wire.frames import from_line, to_line
from crewdoctor.wire.lines import Lines, clipped
from crewdoctor.worker import spool
from crewdoctor.worker.operation import Known
from crewdoctor.worker.recorder import Recorder


@pytest.fixture
def recorder(tmp_path):
    made = Recorder()
    fd = os.open(tmp_path / "frames", os.O_WRONLY | os.O_CREAT)
    made.arm(fd, step="s@s", number=7, zero=time.monotonic(), seconds=60.0, layer=Layer.TOOL, subject="tool:x")
    made.file = tmp_path / "frames"
    yield made
    made.disarm()


def frames(recorder):
    return [from_line(line) for line in recorder.file.read_bytes().splitlines()]


def kinds(recorder):
    return [f"{frame['k']} {frame.get('name', '')}".strip() for frame in frames(recorder)]


def test_what_is_on_the_wire_waits_for_a_tick_and_no_longer(recorder):
    recorder.open("http.request", host="h")
    assert kinds(recorder) == ["begin"]
    until = time.monotonic() + 5.0
    while len(kinds(recorder)) < 2 and time.monotonic() < until:
        time.sleep(0.005)
    assert kinds(recorder) == ["begin", "open http.request"]


def test_anything_else_is_written_at_once_and_what_waited_before_it(recorder):
    request = recorder.open("http.request", host="h")
    recorder.open("net.exchange", host="h", parent=request)
    recorder.event("seen")
    assert kinds(recorder) == ["begin", "open http.request", "open net.exchange", "event seen"]
    recorder.open("tool.call")
    assert kinds(recorder)[-1] == "open tool.call"


def test_a_span_is_closed_once_whether_its_start_is_out_or_not(recorder):
    slow, quick = recorder.open("http.request", n=1), recorder.open("http.request", n=2)
    recorder.close(quick, status=200)
    recorder.flush()
    recorder.close(slow, status=201)
    recorder.close(slow, status=500)
    recorder.flush()
    closes = [(frame["id"], frame["attrs"]) for frame in frames(recorder) if frame["k"] == "close"]
    assert closes == [(quick, {"status": 200}), (slow, {"status": 201})]
    opens = [frame["id"] for frame in frames(recorder) if frame["k"] == "open"]
    assert opens == [slow, quick]


def test_an_interrupted_write_loses_and_garbles_nothing(recorder, monkeypatch):
    recorder.open("http.request", n=1)
    write = recorder._spool._write

    def interrupted(data):
        monkeypatch.setattr(recorder._spool, "_write", write)
        raise KeyboardInterrupt

    monkeypatch.setattr(recorder._spool, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        recorder.flush()
    recorder.event("after")
    assert kinds(recorder) == ["begin", "open http.request", "event after"]


def test_a_million_leave_some_tens_of_thousands_and_say_how_many_they_were(recorder, monkeypatch):
    made = 100_000
    failure = Failure(FailureKind.TIMEOUT_READ)
    for number in range(made):
        request = recorder.open("http.request", url="http://h/")
        exchange = recorder.open("net.exchange", parent=request, host="h")
        recorder.close(exchange, received_bytes=number)
        recorder.close(request, failure=failure if number == made - 1 else None)
    recorder.end("ok")
    told = frames(recorder)
    opened = {frame["id"]: frame for frame in told if frame["k"] == "open"}
    requests = [frame for frame in opened.values() if frame["name"] == "http.request"]
    exchanges = [frame for frame in opened.values() if frame["name"] == "net.exchange"]
    lost = [frame["spans"] for frame in told if frame["k"] == "dropped"][-1]

    assert 4096 < len(requests) < 20_000
    assert lost == {"http.request": made - len(requests), "net.exchange": made - len(exchanges)}
    assert all(frame["parent"] in opened for frame in exchanges)
    failed = [frame["id"] for frame in told if frame["k"] == "close" and frame["failure"]]
    assert len(failed) == 1
    assert failed[0] in opened
    late = [int(frame["id"].partition(".")[2]) for frame in requests][4096:]
    gaps = [after - before for before, after in itertools.pairwise(late)]
    assert max(gaps) <= 2 * 64  # evenly: no long stretch is missing
    assert told[-1]["recorder"]["spans"] == len(opened)
    assert len(recorder._spans) < 10_000


def test_beyond_all_bounds_nothing_on_the_wire_is_written_and_a_tool_still_is(recorder, monkeypatch):
    monkeypatch.setattr(spool, "MOST_SPANS", 10)
    for _ in range(30):
        recorder.open("tcp.connect")
    recorder.flush()
    recorder.open("tool.call")
    for _ in range(30):
        recorder.open("tool.call")
    recorder.end("ok")
    opened = [frame["name"] for frame in frames(recorder) if frame["k"] == "open"]
    assert opened == ["tcp.connect"] * 10 + ["tool.call"] * 10
    assert [frame["spans"] for frame in frames(recorder) if frame["k"] == "dropped"] == [
        {"tcp.connect": 20, "tool.call": 21}
    ]


def test_a_child_beneath_a_span_that_was_left_out_hangs_on_the_next_one_above(recorder, monkeypatch):
    recorder._spool._thinning.keeps = lambda _name, _place: False
    tool = recorder.open("tool.call")
    request = recorder.open("http.request", parent=tool)
    exchange = recorder.open("net.exchange", parent=request)
    recorder.close(exchange, failure=Failure(FailureKind.TCP_RESET))
    recorder.close(request)
    recorder.flush()
    opened = {frame["name"]: frame for frame in frames(recorder) if frame["k"] == "open"}
    assert set(opened) == {"tool.call", "net.exchange"}
    assert opened["net.exchange"]["parent"] == tool


def test_a_fork_finds_no_thread_of_ours_and_the_queue_written(tmp_path):
    program = textwrap.dedent(
        """
        import os, sys, time
        from crewdoctor.model.layer import Layer
        from crewdoctor.worker.recorder import Recorder
        recorder = Recorder()
        fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
        recorder.arm(fd, step="s@s", number=1, zero=time.monotonic(), seconds=9, layer=Layer.TOOL)
        recorder.open("http.request", n=1)
        pid = os.fork()
        if pid == 0:
            recorder.open("http.request", n=2)
            recorder.event("child")
            os._exit(len(os.listdir("/proc/self/task")) - 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        recorder.open("http.request", n=3)
        time.sleep(0.5)
        os.kill(os.getpid(), 9)
        """
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program, tmp_path / "frames"], timeout=30, check=False)
    assert done.returncode == -signal.SIGKILL
    told = [json.loads(line) for line in (tmp_path / "frames").read_bytes().splitlines()]
    assert [frame["attrs"]["n"] for frame in told if frame["k"] == "open"] == [1, 3]


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["sk-abcdefgh12345678", "http://u:p4ssw0rd@h/x?token=abc123def", "Bearer abcdefgh1234", "x" * 3000, "\ud800"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["host", "url", "api_key", "token", "timeout", "status", "first_byte"]) | st.text(max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(names, plain, max_size=5), st.dictionaries(names, plain, max_size=5), st.text(max_size=10))
def test_fast_says_what_slow_says(attrs, added, subject):
    span = Known("1.2", "http.request", subject, "tool", 1, 1.25, None, attrs)
    span.added, span.end = added, 2.5
    lines = Lines("s@s")
    for _ in range(2):  # the second time from what is remembered
        opened, closed = json.loads(lines.opened(span, "1.1")), json.loads(lines.closed(span))
        slow = {"k": "open", "id": "1.2", "step": "s@s", "name": "http.request", "start": 1.25, "layer": "tool"}
        slow |= {"subject": subject, "parent": "1.1", "attrs": clipped(attrs)}
        assert opened == json.loads(to_line(redact.redact_json(slow)))
        slow = {"k": "close", "id": "1.2", "end": 2.5, "failure": None, "attrs": clipped(added)}
        assert closed == json.loads(to_line(redact.redact_json(slow)))


def test_a_secret_learned_later_is_masked_in_what_was_said_before(monkeypatch):
    monkeypatch.setattr(redact, "_shared", redact.Redactor())
    span = Known("1.2", "http.request", "tool:x", "tool", 1, 1.0, None, {"host": "hunter2horse"})
    span.added, span.end = {"peer": "hunter2horse"}, 2.0
    lines = Lines("s@s")
    assert b"hunter2horse" in lines.opened(span, None) + lines.closed(span)
    redact.learn("hunter2horse")
    assert b"hunter2horse" not in lines.opened(span, None) + lines.closed(span)


def test_whatever_stands_in_an_attribute_is_written_somehow(recorder):
    circle = []
    circle.append(circle)
    deep = []
    for _ in range(5000):
        deep = [deep]

    class Rude:
        def __repr__(self):
            raise RuntimeError

    for number, value in enumerate([circle, deep, Rude(), float("nan"), 10**5000, {1, "a"}, b"\xff", {"a": Rude()}]):
        recorder.close(recorder.open("http.request", n=number, odd=value), odd=value)
        recorder.event("odd", odd=value)
        recorder.fact("odd", value)
    recorder.flush()
    told = frames(recorder)
    assert None not in told
    assert [frame["attrs"]["n"] for frame in told if frame["k"] == "open"] == list(range(8))
