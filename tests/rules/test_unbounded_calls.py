"""CD330 on calls found in source: who waits for somebody outside, who for this machine, who is bounded elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from crewdoctor import budget, causality, rulebook
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Severity
from crewdoctor.model.inventory import ScanEntry
from crewdoctor.model.result import Status
from crewdoctor.model.setting import UNLIMITED, Location
from crewdoctor.model.span import FailureKind
from crewdoctor.wire.recording import read_recording

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recordings import CREW, TOOL, Scene, wire

RULE = next(each for each in rulebook.load() if each.code == "CD330")


def call(client, limit=None, **more):
    return ScanEntry(
        Location("tools.py", 9), client, "x.y", wire(UNLIMITED if limit is None else limit), (TOOL,), **more
    )


def severities(tmp_path, *entries):
    scene = Scene()
    scene.crew(scan=entries)
    scene.write(tmp_path / "recording.jsonl")
    held = read_recording(tmp_path / "recording.jsonl")
    return [each.severity for each in rulebook.apply(RULE, Evidence(held, budget.ledger_of(held)))]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([call("psycopg")], [Severity.WARNING]),
        ([call("redis"), call("queue")], [Severity.WARNING]),
        ([call("kafka")], [Severity.WARNING]),
        ([call("subprocess", program="curl")], [Severity.WARNING]),
        ([call("subprocess")], [Severity.INFO]),
        ([call("future")], [Severity.INFO]),
        ([call("psycopg", 5.0)], []),
        ([call("redis", url="redis://cache:6379/0?socket_timeout=5")], []),
        ([call("psycopg"), call("future", 20.0)], []),
        ([call("requests")], []),
        ([call("sqlite3", 5.0)], []),
    ],
)
def test_severity_follows_who_is_waited_for(tmp_path, entries, expected):
    assert severities(tmp_path, *entries) == expected


@pytest.mark.parametrize(
    ("failure", "end", "expected"),
    [(None, 5.6, Severity.INFO), (FailureKind.TIMEOUT_READ, 5.6, Severity.WARNING), (None, None, Severity.WARNING)],
    ids=["answered", "failed", "still waiting"],
)
def test_where_every_call_was_answered_it_is_a_note(tmp_path, failure, end, expected):
    scene = Scene()
    scene.crew(scan=(call("psycopg"),))
    step = scene.step("tool.isolated", TOOL, 5.0, 20.0, Status.OK if end else Status.KILLED)
    scene.span(step, "tool.call", 5.0, end, failure=failure, tool="search", n=1)
    scene.write(tmp_path / "recording.jsonl")
    held = read_recording(tmp_path / "recording.jsonl")

    assert [each.severity for each in rulebook.apply(RULE, Evidence(held, budget.ledger_of(held)))] == [expected]


def test_a_writer_the_guard_stopped_alone_is_judged_by_the_crew(tmp_path):
    scene = Scene()
    scene.crew(scan=(call("sqlite3", 5.0),))
    alone = scene.step("tool.isolated", TOOL, 5.0, 6.0)
    scene.span(alone, "tool.call", 5.0, 5.1, failure=FailureKind.BLOCKED_WOULD_WRITE, tool="search", n=1)
    crew = scene.step("crew.kickoff", CREW, 10.0, 17.0)
    scene.span(crew, "tool.call", 10.5, 15.6, subject=TOOL, failure=FailureKind.TIMEOUT_LOCK, tool="search")
    scene.write(tmp_path / "recording.jsonl")
    held = read_recording(tmp_path / "recording.jsonl")

    (found,) = rulebook.apply(RULE, Evidence(held, budget.ledger_of(held)))
    assert (found.severity, found.observed) == (Severity.ERROR, True)


def test_a_wait_for_the_same_lock_that_our_deadline_cut_off_is_no_second_cause(tmp_path):
    scene = Scene()
    scene.crew(scan=(call("sqlite3", 30.0),))
    alone = scene.step("tool.isolated", TOOL, 5.0, 20.2, Status.KILLED, reason="no answer after 15.0 s")
    scene.stack(alone, 20.1, scene.tool(alone, 5.0, None), "lock", seconds=15.1, peer="the database orders.db")
    crew = scene.step("crew.kickoff", CREW, 21.0, 52.0)
    scene.span(crew, "tool.call", 21.5, 51.6, subject=TOOL, failure=FailureKind.TIMEOUT_LOCK, tool="search")
    scene.write(tmp_path / "recording.jsonl")
    held = read_recording(tmp_path / "recording.jsonl")
    findings, _ = rulebook.run(Evidence(held, budget.ledger_of(held)), select=("CD304", "CD330"))

    (found,) = causality.order(findings, held)
    assert (found.code, [each.code for each in found.explained]) == ("CD330", ["CD304"])
