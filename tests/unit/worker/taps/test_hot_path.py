"""What stands in the way of every request: it notes as much as a slow path would, and is seen while it blocks."""

import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from crewdoctor.model.layer import Layer
from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.wire.lines import Lines
from crewdoctor.wire.redact import redact_json
from crewdoctor.wire.thinning import Thinning
from crewdoctor.worker.recorder import KEPT_ON_WIRE, Recorder
from crewdoctor.worker.taps import sockets
from crewdoctor.worker.taps.calls import HttpCall
from crewdoctor.worker.taps.connections import Connection
from crewdoctor.worker.taps.exchange import Exchange
from crewdoctor.worker.taps.httpcore import _TELLING, _Pool
from crewdoctor.worker.taps.shared import connections_of
from crewdoctor.worker.taps.words import AS_TOLD, attributes

WHERE = {"scheme": "http", "host": "h", "port": 80, "path": "/"}
SECRET = "sk-abcdefgh12345678"


@pytest.fixture
def recorder(tmp_path):
    made = Recorder()
    fd = os.open(tmp_path / "frames", os.O_WRONLY | os.O_CREAT)
    made.arm(fd, step="s", number=1, zero=time.monotonic(), seconds=60, layer=Layer.TOOL, subject="tool:x")
    made.file = Path(tmp_path / "frames")
    yield made
    made.disarm()


@pytest.fixture
def tapped(recorder, monkeypatch):
    """A client's socket whose peer is ours, with the taps around its methods alone."""
    traffic = sockets.Traffic(sockets.Tap("sockets", recorder))
    ours, theirs = socket.socketpair()
    for name, make in (("sendall", traffic.sender), ("recv", traffic.receiver), ("recv_into", traffic.filler)):
        monkeypatch.setattr(socket.socket, name, make(getattr(socket.socket, name)))
    connection = Connection("h", 80, "127.0.0.1")
    connections_of(recorder).opened(ours.fileno(), connection)
    yield ours, theirs, connection
    ours.close()
    theirs.close()


def told(span, lines):
    """What is written of a span the fast way."""
    opened, closed = json.loads(lines.opened(span, None)), json.loads(lines.closed(span))
    return opened["attrs"], closed["attrs"]


class Url:
    scheme, host, port, target = b"https", b"api.local", None, b"/v1/%s?key=2" % SECRET.encode()


@pytest.mark.parametrize("headers", [[], [(b"Retry-After", b"2"), (b"x-ratelimit-limit", b"9")], {"Retry-After": "2"}])
@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("limits", [None, {"connect": 1.0, "read": None}])
def test_a_request_is_told_fast_as_it_would_be_slowly(recorder, headers, answered, limits):
    lines = Lines("s")
    for _ in range(2):  # the second time from what is remembered
        raw = (b"api.local", _Pool("httpx", "", 3), b"get", Url(), limits, [(b"User-Agent", b"OpenAI/1")])
        call = HttpCall(recorder, _TELLING, raw)
        if answered:
            call.answered(200, headers)
            call.part(17)
        call.end = recorder.now()
        slow = redact_json(call.attrs), redact_json(call.added)
        assert told(call, lines) == slow
        assert SECRET not in json.dumps(slow[0])
        call.end = None
        call.finish()


@pytest.mark.parametrize("limit", [None, 5.0, 0.0, {"timeout": "unlimited"}])
@pytest.mark.parametrize("received", [0, 5])
def test_an_exchange_is_told_fast_as_it_would_be_slowly(recorder, limit, received):
    connection, lines = Connection("h", 80, "10.0.0.7"), Lines("s")
    for _ in range(2):
        exchange = Exchange(recorder, connection, limit)
        connections_of(recorder).sent(connection, 9)
        if received:
            connections_of(recorder).received(connection, received)
        exchange.over()
        assert told(exchange, lines) == (exchange.attrs, exchange.added)


def test_a_receive_that_blocks_is_in_flight_with_all_it_is_asked_for(recorder, tapped):
    ours, theirs, _ = tapped
    ours.settimeout(30.0)
    ours.sendall(b"hello")
    thread = threading.Thread(target=ours.recv, args=(10,))
    thread.start()
    try:
        held = seen(recorder)
        assert (held.kind, held.peer, held.timeout) == ("recv", "h:80", {"timeout": 30.0})
        assert held.thread_id == thread.ident
        assert held.span in recorder.open_spans()
        assert 0 <= held.started <= recorder.now()
    finally:
        theirs.sendall(b"answer")
        thread.join()
    assert recorder.in_flight() == {}


def test_two_threads_in_one_receive_are_both_in_flight(recorder, tapped):
    ours, theirs, _ = tapped
    ours.sendall(b"hello")
    threads = [threading.Thread(target=ours.recv, args=(1,)) for _ in range(2)]
    for each in threads:
        each.start()
    try:
        until = time.monotonic() + 5
        while len(recorder.in_flight()) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert {each.thread_id for each in recorder.in_flight().values()} == {each.ident for each in threads}
    finally:
        theirs.sendall(b"ab")
        for each in threads:
            each.join()
    assert recorder.in_flight() == {}


def test_a_thread_that_still_reads_a_socket_another_one_closed_is_in_flight(recorder, tapped):
    ours, theirs, _ = tapped
    ours.sendall(b"hello")
    thread = threading.Thread(target=ours.recv, args=(10,))
    thread.start()
    try:
        seen(recorder)
        connections_of(recorder).closed(ours.fileno())
        assert [each.thread_id for each in recorder.in_flight().values()] == [thread.ident]
    finally:
        theirs.sendall(b"answer")
        thread.join()
    assert recorder.in_flight() == {}


def test_a_length_is_no_flag_and_a_look_ahead_no_receive(recorder, tapped):
    ours, theirs, connection = tapped
    ours.sendall(b"hello")
    theirs.sendall(b"answer")
    assert ours.recv(2, socket.MSG_PEEK) == b"an"
    assert connection.received == 0
    assert ours.recv_into(bytearray(6), 2) == 2
    assert connection.received == 2


def test_what_began_in_another_step_leaves_no_line_in_this_one(recorder, tmp_path):
    call = HttpCall(recorder, AS_TOLD, ("h", attributes(client="c", method="GET", timeout={}, **WHERE)))
    exchange = Exchange(recorder, Connection("h", 80, "h"), 1.0)
    recorder.flush()
    fd = os.open(tmp_path / "next", os.O_WRONLY | os.O_CREAT)
    recorder.disarm()
    recorder.arm(fd, step="next", number=2, zero=time.monotonic(), seconds=60, layer=Layer.TOOL)
    exchange.over()
    call.finish()
    recorder.flush()
    assert [json.loads(line)["k"] for line in (tmp_path / "next").read_bytes().splitlines()] == ["begin"]


def request(recorder):
    """A request that is going on."""
    return HttpCall(recorder, AS_TOLD, ("h", attributes(client="c", method="GET", timeout={}, **WHERE)))


def frames(recorder):
    """What is written by now, without the first frame."""
    recorder.flush()
    return [json.loads(line) for line in recorder.file.read_bytes().splitlines()][1:]


@pytest.mark.parametrize("seen", [(), ("request",), ("exchange",), ("request", "exchange")])
def test_an_exchange_is_told_beneath_its_request_whatever_of_them_was_written_before(recorder, seen):
    call = request(recorder)
    if "request" in seen:
        recorder.flush()
    exchange = Exchange(recorder, Connection("h", 80, "h"), 1.0)
    if "exchange" in seen:
        recorder.flush()
    exchange.received, exchange.first = 5, exchange.last
    call.answered(200, ())
    call.finish()
    told = frames(recorder)
    opened = {each["name"]: each for each in told if each["k"] == "open"}
    assert len(told) == 4
    assert opened["net.exchange"]["parent"] == opened["http.request"]["id"] != opened["net.exchange"]["id"]
    assert {each["id"] for each in told if each["k"] == "close"} == {each["id"] for each in opened.values()}
    assert recorder.open_spans() == {}


def test_an_exchange_nobody_wrote_yet_can_be_asked_for_and_ended_from_without(recorder):
    call, connection = request(recorder), Connection("h", 80, "h")
    exchange = Exchange(recorder, connection, 1.0)
    assert list(recorder.open_spans()) == [call.id, exchange.id]
    recorder.close(exchange.id)
    assert list(recorder.open_spans()) == [call.id]
    assert connection.exchange is None
    call.finish()
    assert [each["k"] for each in frames(recorder)] == ["open", "close"] * 2


def test_the_second_exchange_of_a_request_is_told_as_well_as_the_first(recorder):
    call = request(recorder)
    both = [Exchange(recorder, Connection("h", 80, "h"), 1.0) for _ in range(2)]
    for each in both:
        each.received = 5
    call.finish()
    told = frames(recorder)
    above = [(each["name"], each["parent"]) for each in told if each["k"] == "open"]
    assert sorted(above, key=str) == sorted([("http.request", None), *[("net.exchange", call.id)] * 2], key=str)
    assert len(told) == 6


@pytest.mark.parametrize("fails", [True, False])
def test_a_request_left_out_takes_its_exchange_along_unless_that_failed(recorder, monkeypatch, fails):
    monkeypatch.setattr(Thinning, "keeps", lambda *_: False)
    call = request(recorder)
    exchange = Exchange(recorder, Connection("h", 80, "h"), 1.0)
    exchange.received = 5
    exchange.over(Failure(FailureKind.TCP_RESET, "cut") if fails else None)
    call.answered(200, ())
    call.finish()
    assert [each.get("name") for each in frames(recorder)] == (["net.exchange", None] if fails else [])
    assert dict(recorder._spool.dropped) == {"http.request": 1, **({} if fails else {"net.exchange": 1})}


def test_ended_requests_are_forgotten_in_time_also_when_nobody_reads(recorder):
    for reads in (True, False):
        if not reads:
            recorder._spool._fd = -1
        for _ in range(KEPT_ON_WIRE + 50):
            call = request(recorder)
            Exchange(recorder, Connection("h", 80, "h"), 1.0)
            call.finish()
        recorder.flush()
        calls = [each for each in recorder._spans.values() if each.is_request]
        assert len(calls) == KEPT_ON_WIRE


def test_what_cannot_be_told_harms_nobody_and_is_said_once(recorder):
    for headers in (7, 8):  # no headers any library has
        call = HttpCall(recorder, AS_TOLD, ("h", attributes(client="c", method="GET", timeout={}, **WHERE)))
        call.answered(200, headers)
        call.finish()
    recorder.event("after")
    told = [json.loads(line) for line in recorder.file.read_bytes().splitlines()]
    assert [each["k"] for each in told] == ["begin", *["open", "close"] * 2, "event", "own"]
    assert "could not be told" in told[-1]["text"]


def test_of_one_place_fewer_are_kept_and_of_another_all():
    thinning = Thinning()
    busy = sum(thinning.keeps("http.request", ("tool:x", "busy")) for _ in range(20_000))
    calm = sum(thinning.keeps("http.request", ("tool:x", "calm")) for _ in range(1_000))
    assert 2_000 < busy < 4_096
    assert calm > 900


def seen(recorder):
    """The one operation in flight, once there is one."""
    until = time.monotonic() + 5
    while not recorder.in_flight() and time.monotonic() < until:
        time.sleep(0.01)
    (held,) = recorder.in_flight().values()
    return held
