"""What a worker that is kept quiet knows of the program it stands for."""

from __future__ import annotations

import json

import pytest

from crewdoctor.worker import unquieted as module

OURS = {"CREWAI_DISABLE_TELEMETRY": "TRUE", "CREWAI_TRACING_ENABLED": "FALSE"}


@pytest.fixture
def told(monkeypatch):
    """Returns what is found: the variables of the user, then those the target set in the worker, at a terminal."""
    monkeypatch.setattr(module, "_first_execution", lambda: True)

    def find(theirs, later=(), *, tty=True):
        for name in ("OTEL_SDK_DISABLED", "CREWAI_DISABLE_TRACKING", "CREWAI_TESTING"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {**theirs, **OURS, **dict(later)}.items():
            monkeypatch.setenv(name, value)
        quiet = {name: [ours, theirs.get(name)] for name, ours in OURS.items()}
        monkeypatch.setenv("CREWDOCTOR_BEFORE", json.dumps({"quiet": quiet, "tty": tty}))
        return module.unquieted()

    return find


@pytest.mark.parametrize(
    ("theirs", "later", "off"),
    [
        ({}, {}, ""),
        ({"CREWAI_DISABLE_TELEMETRY": "true"}, {}, "CREWAI_DISABLE_TELEMETRY"),
        ({"CREWAI_DISABLE_TELEMETRY": "false"}, {}, ""),
        ({}, {"CREWAI_DISABLE_TELEMETRY": "true"}, "CREWAI_DISABLE_TELEMETRY"),
        ({"OTEL_SDK_DISABLED": "1"}, {}, "OTEL_SDK_DISABLED"),
    ],
)
def test_who_switched_telemetry_off_is_told_from_us(told, theirs, later, off):
    assert told(theirs, later)["telemetry_off"] == off


@pytest.mark.parametrize(
    ("theirs", "tty", "asks"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"CREWAI_TRACING_ENABLED": "false"}, True, False),
        ({"CREWAI_TRACING_ENABLED": "true"}, True, False),
    ],
)
def test_the_question_is_put_at_a_terminal_where_nothing_was_decided(told, theirs, tty, asks):
    assert told(theirs, tty=tty)["trace_prompt"] is asks


def test_without_a_supervisor_nothing_is_claimed(monkeypatch):
    monkeypatch.delenv("CREWDOCTOR_BEFORE", raising=False)
    assert module.unquieted()["trace_prompt"] is False
