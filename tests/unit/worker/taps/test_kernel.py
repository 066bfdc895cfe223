"""Connections nobody stands around: made with the C class beneath `socket.socket`, as a client in C makes them."""

import _socket
import contextlib
import json
import os
import socket
import subprocess
import sys
import time

import pytest

from crewdoctor.model.layer import Layer
from crewdoctor.worker import kernel_sockets
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.connections import Connection
from crewdoctor.worker.taps.kernel import Looks
from crewdoctor.worker.taps.shared import connections_of


class Told:
    """A recorder whose frames can be read, and its looks."""

    def __init__(self):
        self.recorder = Recorder()
        self.read, write = os.pipe()
        os.set_blocking(self.read, False)
        arguments = {"step": "tool.isolated@tool:x", "number": 1, "seconds": 60, "layer": Layer.TOOL}
        self.recorder.arm(write, zero=time.monotonic(), **arguments)
        self.looks = Looks(self.recorder)
        self.frames = []

    def look(self):
        self.looks._is_new_step(self.recorder.now())
        self.looks._look_now(self.recorder.now())
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self.read, 1 << 20):
                self.frames += [json.loads(line) for line in part.splitlines()]
        opened = {each["id"]: each for each in self.frames if each["k"] == "open" and each["name"] == "net.connection"}
        ended = {each["id"]: each for each in self.frames if each["k"] == "close"}
        return [{**each, "closed": ended.get(key, {}).get("attrs")} for key, each in opened.items()]


@pytest.fixture
def told():
    made = Told()
    yield made
    made.recorder.disarm()
    os.close(made.read)


@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def connected(server):
    raw = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    raw.connect(server.getsockname())
    peer, _ = server.accept()
    return raw, peer


def test_a_connection_of_c_code_is_told_with_its_bytes(told, server):
    raw, peer = connected(server)
    with peer:
        raw.send(b"hello")
        peer.sendall(b"x" * 1000)
        assert raw.recv(2000)
        with told.recorder.span("tool.call", subject="tool:x") as call:
            (seen,) = told.look()
            peer.sendall(b"y" * 10)
            told.look()
            raw.close()
            (gone,) = told.look()

    assert seen["attrs"]["kernel"] is True
    assert (seen["attrs"]["host"], seen["attrs"]["port"]) == server.getsockname()
    assert (seen["attrs"]["sent_bytes"], seen["attrs"]["received_bytes"]) == (5, 1000)
    assert (seen["parent"], seen["subject"]) == (call.id, "tool:x")
    assert seen["closed"] is None
    assert gone["closed"]["received_bytes"] == 1010


def test_what_another_tap_sees_and_what_was_accepted_is_left_out(told, server):
    raw, peer = connected(server)
    with peer:
        connections_of(told.recorder).opened(raw.fileno(), Connection("localhost", 1, "127.0.0.1"))

        assert told.look() == []
    raw.close()


def test_of_two_calls_at_once_none_is_accused(told, server):
    raw, peer = connected(server)
    with peer:
        raw.send(b"hello")
        recorder = told.recorder
        first, second = (recorder.open("tool.call", subject=f"tool:{name}") for name in "ab")
        (seen,) = told.look()
        recorder.close(first)
        recorder.close(second)
    raw.close()

    assert seen["parent"] is None


def test_a_request_to_the_same_port_is_the_owner(told, server):
    raw, peer = connected(server)
    with peer:
        raw.send(b"hello")
        recorder = told.recorder
        recorder.open("tool.call", subject="tool:a")
        call = recorder.open("tool.call", subject="tool:b")
        request = recorder.open("http.request", parent=call, host="h", port=server.getsockname()[1])
        (seen,) = told.look()
    raw.close()

    assert (seen["parent"], seen["subject"]) == (request, "tool:b")


def test_a_connect_without_an_answer_is_told_with_its_peer(told):
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(4):
            raw = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            stack.callback(raw.close)
            raw.setblocking(False)
            raw.connect_ex(full.getsockname())
            waiting.append(raw)
        time.sleep(0.1)
        states = {each["attrs"]["state"] for each in told.look() if each["attrs"]["port"] == full.getsockname()[1]}

    assert "connecting" in states


def test_a_child_process_is_told_by_its_program(told, server):
    host, port = server.getsockname()
    program = f"import socket, time; s = socket.create_connection(('{host}', {port})); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-S", "-c", program])
    try:
        peer, _ = server.accept()
        with peer, told.recorder.span("tool.call", subject="tool:x") as call:
            told.recorder.enter("process", peer="python", span=call.id)
            (seen,) = told.look()
    finally:
        child.kill()
        child.wait()

    assert seen["attrs"]["program"].startswith("python")
    assert (seen["attrs"]["port"], seen["parent"]) == (port, call.id)
    assert seen["attrs"]["sent_bytes"] is None


def test_an_exchange_whose_socket_was_thrown_away_ends(told, server):
    raw, peer = connected(server)
    connections = connections_of(told.recorder)
    connection = Connection("localhost", server.getsockname()[1], "127.0.0.1")
    connections.opened(raw.fileno(), connection)
    connections.sending(connection, {"timeout": "unknown"})
    told.look()
    assert connection.span is not None

    raw.close()
    peer.close()
    told.look()

    assert connection.span is None
    assert not connections.table


def test_asking_leaves_a_descriptor_as_it_was(server):
    raw, peer = connected(server)
    with peer:
        socket.setdefaulttimeout(3.0)
        try:
            asked = kernel_sockets.ask(raw.fileno())
        finally:
            socket.setdefaulttimeout(None)

        assert os.get_blocking(raw.fileno())
        assert asked.state == "established"
        peer.sendall(b"S")
        time.sleep(0.05)
        assert kernel_sockets.peeked(raw.fileno()) == b"S"
        assert raw.recv(2) == b"S"
    raw.close()


def test_six_byte_and_sixteen_byte_addresses_are_read():
    assert kernel_sockets._decoded("0100007F:1F90") == ("127.0.0.1", 8080)
    assert kernel_sockets._decoded("00000000000000000000000001000000:0050") == ("::1", 80)
    assert kernel_sockets._decoded("0000000000000000FFFF00000100007F:0050") == ("127.0.0.1", 80)
