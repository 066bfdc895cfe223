"""Limits around a crew: which are in force, what they end, and what outlasts them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crewdoctor.budget import ending, ledger_of, told
from crewdoctor.model.inventory import AgentEntry, Inventory, LlmEntry, TaskEntry, ToolEntry
from crewdoctor.model.options import Options
from crewdoctor.model.recording import Header, Recording
from crewdoctor.model.setting import OUTER, UNLIMITED, Location, Provenance, Seconds, Setting

AGENT, MODEL, TOOL = "agent:Planner", "agent:Planner/llm", "tool:lookup"
WRITTEN = Provenance("python", "crew.py:14", Location("crew.py", 14))


def outer(platform, seconds, name="timeout", origin="file"):
    where = Provenance(origin, f"{platform}.conf:3", Location(f"{platform}.conf", 3))
    return Setting(f"outer:{platform}", OUTER, name, Seconds(seconds), where, "limit")


def crew(*around, named=None, read=10.0, tool=UNLIMITED, deadline=None):
    settings = [
        Setting(MODEL, "llm", "timeout.read", Seconds(read), WRITTEN),
        Setting(MODEL, "llm", "max_retries", 0, WRITTEN),
        Setting(AGENT, "agent", "max_retry_limit", 0, WRITTEN),
        Setting(AGENT, "agent", "max_execution_time", Seconds(deadline) if deadline else UNLIMITED, WRITTEN),
        Setting(TOOL, "tool", "timeout", tool, WRITTEN),
        *around,
    ]
    inventory = Inventory(
        "crew.py",
        "c",
        "/project",
        "module",
        agents=(AgentEntry(AGENT, "Planner", MODEL, (TOOL,)),),
        tasks=(TaskEntry("task:1", AGENT),),
        tools=(ToolEntry(TOOL, "lookup", "function", None),),
        llms=(LlmEntry(MODEL, "gpt-4o", "openai", True),),
        settings=tuple(settings),
    )
    return Recording(Header(options=Options(outer=named)), inventory)


def names(ledger):
    return [scope.subject for scope in ledger.walk() if scope.name == "outer"]


def test_the_longest_limit_stands_outermost_and_the_shortest_ends_the_crew():
    ledger = ledger_of(crew(outer("gunicorn", 30.0), outer("kubernetes", 600.0)))

    assert names(ledger) == ["outer:kubernetes", "outer:gunicorn"]
    assert ledger.longest_hang == (
        "the longest this crew can hang: 30.0 s, then gunicorn (gunicorn.conf:3) ends it; "
        "left alone for ever (tool:lookup has no timeout)"
    )


def test_what_the_user_names_outranks_what_files_say():
    ledger = ledger_of(crew(outer("gunicorn", 30.0), named=90.0))

    assert names(ledger) == ["outer"]
    assert told(ledger.outers[0]) == "--outer"
    assert "90.0 s, then --outer ends it" in ledger.longest_hang


def test_of_several_functions_the_longest_speaks_for_the_platform():
    ledger = ledger_of(crew(outer("serverless/a", 6.0), outer("serverless/b", 300.0)))

    assert [each.value for each in ledger.outers] == [Seconds(300.0)]


def test_what_only_stops_waiting_ends_nothing():
    ledger = ledger_of(crew(outer("nginx ingress", 60.0, "timeout.answer")))

    assert ending(ledger.outers) is None
    assert ledger.longest_hang == "the longest this crew can hang: for ever (tool:lookup has no timeout)"


def test_a_crew_that_ends_by_itself_before_it_is_told_by_its_own_ceiling():
    ledger = ledger_of(crew(outer("gunicorn", 600.0), tool=Seconds(20.0)))

    assert ledger.longest_hang == "the longest this crew can hang: 20.0 s (tool:lookup silent, crew.py:14)"


@pytest.mark.parametrize(
    ("given", "inner"),
    [
        ({"read": 50.0, "tool": Seconds(5.0)}, [MODEL]),
        ({"tool": Seconds(50.0)}, [TOOL]),
        ({"tool": Seconds(5.0), "deadline": 50.0}, [AGENT]),
        ({"tool": Seconds(5.0), "deadline": 20.0}, []),
    ],
)
def test_each_written_limit_within_that_outlasts_it_is_an_inversion(given, inner):
    ledger = ledger_of(crew(outer("gunicorn", 30.0), outer("kubernetes", 40.0), **given))
    around = [each for each in ledger.inversions if each.outer.scope == OUTER]

    assert [each.inner for each in around] == inner
    assert all(each.both_written and each.outer.subject == "outer:gunicorn" for each in around)


def test_the_default_of_a_platform_accuses_nothing():
    recording = crew(outer("gunicorn", 30.0, origin="default"), tool=Seconds(50.0))

    assert [each.both_written for each in ledger_of(recording).inversions] == [False]
    named = replace(recording, header=Header(options=Options(outer=30.0)))
    assert [each.both_written for each in ledger_of(named).inversions] == [True]
