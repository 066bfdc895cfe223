"""How much of an answer has come, for a thread that reads at a socket and for a task whose loop does."""

import os
import time

import pytest

from crewdoctor.model.layer import Layer
from crewdoctor.worker.answer_part import answer_part
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.calls import HttpCall
from crewdoctor.worker.taps.connections import Connection
from crewdoctor.worker.taps.shared import connections_of
from crewdoctor.worker.taps.words import AS_TOLD, attributes

LIMIT = {"timeout": 5.0}


@pytest.fixture
def recorder():
    made = Recorder()
    read, write = os.pipe()
    made.arm(write, step="s", number=1, zero=time.monotonic(), seconds=60, layer=Layer.TOOL)
    yield made
    made.disarm()
    os.close(read)


@pytest.fixture
def call(recorder):
    where = {"scheme": "http", "host": "h", "port": 80, "path": "/"}
    made = HttpCall(
        recorder, AS_TOLD, ("h", attributes(client="httpx", method="GET", timeout={"read": LIMIT}, **where))
    )
    yield made
    made.finish()


@pytest.fixture
def connection(recorder, call):
    made = Connection("h", 80, "127.0.0.1")
    connections_of(recorder).opened(9999, made)
    connections_of(recorder).sending(made, LIMIT)
    return made


@pytest.mark.parametrize("whose", ["exchange", "request"])
def test_headers_that_are_not_complete_are_told_from_a_body(recorder, call, connection, whose):
    span = connection.span if whose == "exchange" else call.id
    waits = recorder.inflight[recorder.enter("recv", span=span)]
    assert answer_part(recorder, waits) == {}

    connections_of(recorder).received(connection, 17)
    assert answer_part(recorder, waits) == {"bytes_received": 17, "part": "headers"}

    call.answered(200, ())
    connections_of(recorder).received(connection, 100)
    assert answer_part(recorder, waits) == {"bytes_received": 117, "part": "body"}


def test_what_is_no_request_has_no_parts(recorder):
    connection = Connection("h", 6379, "127.0.0.1")
    connections_of(recorder).opened(9999, connection)
    connections_of(recorder).sending(connection, LIMIT)
    connections_of(recorder).received(connection, 17)
    waits = recorder.inflight[recorder.enter("recv", span=connection.span)]

    assert answer_part(recorder, waits) == {}
