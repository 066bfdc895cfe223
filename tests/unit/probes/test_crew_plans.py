"""What is planned for the whole crew and for single agents, given what the layers below have shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crewdoctor.model.inventory import AgentEntry, Inventory, LlmEntry, TaskEntry, ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.setting import Provenance, Seconds, Setting
from crewdoctor.probes import agent_bisect, crew_kickoff

LLM = "agent:x/llm"
INVENTORY = Inventory(
    target="crew.py",
    crew="c",
    project_root="/p",
    shape="module",
    agents=(AgentEntry("agent:x", "x", LLM, ("tool:a", "tool:b"), prompt_chars=400),),
    tasks=(TaskEntry("task:1", "agent:x", prompt_chars=400),),
    tools=tuple(ToolEntry(f"tool:{name}", name, "function", None) for name in "ab"),
    llms=(LlmEntry(LLM, "openai/m", "openai", known=True, users=(LLM,)),),
)


def result(probe, subject, status=Status.OK, *, llm_calls=0, **facts):
    step = Step(f"{probe}@{subject}", probe, Layer.LLM, subject, "loaded", 10.0, llm_calls=llm_calls)
    return StepResult(step, status, 0.0, 1.0, facts=facts)


def answered(**facts):
    return result("llm.sdk", LLM, **{"answered": True, "hung": False, **facts})


def kickoff(results=(), **options):
    (planned,) = crew_kickoff.plan(INVENTORY, Options(**options), results)
    return planned


def test_a_crew_on_its_own_model_is_held_to_the_calls_that_are_left():
    step = kickoff([result("llm.sdk", LLM, llm_calls=7, answered=True)], llm="own")
    assert (step.llm_calls, step.args["most_llm_calls"]) == (13, 13)
    assert step.tokens >= 13 * 1000
    assert "at most 13 calls" in step.announce


def test_calls_that_were_planned_and_not_made_are_the_crews():
    skipped = result("llm.crewai", LLM, Status.SKIPPED, llm_calls=8)
    asked_once = result("llm.sdk", LLM, llm_calls=7, answered=False, calls=2)
    assert kickoff([asked_once, skipped], llm="own").args["most_llm_calls"] == 18


@pytest.mark.parametrize(("asked", "pause"), [(4.0, 4.0), (0.0, 60.0), (600.0, 60.0)])
def test_a_limit_crewdoctor_met_is_waited_out_before_the_crew_runs(asked, pause):
    step = kickoff([result("llm.sdk", LLM, answered=True, limited=asked)], llm="own")
    assert step.args["pause"] == pause
    assert f"{pause:.0f} s after crewdoctor met the provider's rate limit" in step.announce


def test_a_limit_met_before_any_answer_is_not_ours_to_wait_out():
    step = kickoff([result("llm.sdk", LLM, answered=False, limited=0.0, calls=1)], llm="own")
    assert step.args["pause"] == 0.0


def test_without_a_limit_nobody_waits():
    assert kickoff([answered()], llm="own").args["pause"] == 0.0
    assert kickoff([answered(limited=3.0)], llm="embedded").args["pause"] == 0.0


def test_when_no_call_is_left_the_crew_does_not_run_and_says_so():
    skip = kickoff([result("llm.sdk", LLM, llm_calls=20, answered=True)], llm="own")
    assert isinstance(skip, Skip)
    assert "--max-llm-calls 20" in skip.reason


def test_the_simulated_model_costs_nothing_and_is_not_capped():
    step = kickoff([answered()], llm="embedded")
    assert (step.llm_calls, step.tokens, step.args["most_llm_calls"]) == (0, 0, None)
    assert "simulated" in step.announce


@pytest.mark.parametrize(
    ("facts", "runs"),
    [
        ({"answered": False, "hung": True, "timeout": {"timeout": 600.0}, "max_retries": 2}, False),
        ({"answered": False, "hung": True, "timeout": {"timeout": "unlimited"}, "max_retries": 2}, False),
        ({"answered": False, "hung": True}, False),
        ({"answered": False, "hung": True, "timeout": {"timeout": 2.0}, "max_retries": 2}, True),
        ({"answered": False, "hung": False, "status": 500}, True),
        ({"answered": True, "hung": True}, True),
        ({}, True),
    ],
)
def test_a_silent_model_is_paid_for_once(facts, runs):
    planned = kickoff([result("llm.sdk", LLM, **facts)])
    assert isinstance(planned, Step) is runs


def test_one_model_that_answers_is_enough_to_run():
    silent = result("llm.sdk", "agent:y/llm", answered=False, hung=True)
    assert isinstance(kickoff([silent, answered()]), Step)


def test_a_watched_crew_may_run_beyond_the_deadline():
    assert kickoff([answered()], interactive=True).deadline == crew_kickoff.WATCHED
    assert kickoff([answered()], deadline=90.0).deadline == 90.0


def test_a_sick_tool_does_not_keep_the_crew_from_running():
    assert isinstance(kickoff([answered(), result("tool.isolated", "tool:a", Status.KILLED)]), Step)


def test_a_crew_without_tasks_is_left_out():
    empty = Inventory("crew.py", "c", "/p", "module")
    (skip,) = crew_kickoff.plan(empty, Options(), ())
    assert isinstance(skip, Skip)


def test_a_dry_run_says_under_which_condition():
    assert kickoff().condition
    (step,) = agent_bisect.plan(INVENTORY, Options(llm="embedded"), ())
    assert step.condition


WELL = [answered(), *(result("tool.isolated", f"tool:{name}", n1=[0.2, 0.1, 0.2], n4=[0.2]) for name in "ab")]


def crew(status=Status.OK, tools=None, **agent):
    seen = {"runs": 1, "seconds": 2.0, "failed": "", "running": 0, **agent}
    return result("crew.kickoff", "crew:c", status, agents={"agent:x": seen}, tools=tools or {})


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (crew(failed="boom"), "failed"),
        (crew(Status.KILLED, running=1), "still running"),
        (crew(tools={"tool:b": {"calls": 1, "seconds": 4.0}}), "tool:b took 4.0 s in the crew and 0.2 s alone"),
    ],
)
def test_an_agent_that_fails_though_its_parts_are_well_is_bisected(seen, why):
    (step,) = agent_bisect.plan(INVENTORY, Options(llm="embedded"), [*WELL, seen])
    assert why in step.args["symptom"]
    assert step.args["alone"] == {"tool:a": 0.2, "tool:b": 0.2}
    assert step.llm_calls == 0


def test_an_agent_that_met_its_own_deadline_is_not_bisected():
    limit = Setting("agent:x", "agent", "max_execution_time", Seconds(2.0), Provenance("python", "crew.py:1"))
    limited = replace(INVENTORY, settings=(limit,))
    results = [*WELL, crew(failed="timed out after 2 seconds", seconds=5.6)]
    assert list(agent_bisect.plan(limited, Options(llm="embedded"), results)) == []


def test_on_a_paid_model_the_rounds_are_counted():
    (step,) = agent_bisect.plan(INVENTORY, Options(llm="own"), [*WELL, crew(failed="boom")])
    assert step.llm_calls >= 8


@pytest.mark.parametrize(
    "results",
    [
        [*WELL, crew()],
        [*WELL, crew(tools={"tool:b": {"calls": 1, "seconds": 1.1}})],
        [*WELL],
        [*WELL[:-1], result("tool.isolated", "tool:b", Status.KILLED), crew(failed="boom")],
        [*WELL[:-1], result("tool.isolated", "tool:b", n1=[0.1], failed="tcp.refused"), crew(failed="boom")],
        [*WELL[:-1], result("tool.isolated", "tool:b", n1=[0.1], blocked=True), crew(failed="boom")],
        [answered(hung=True), *WELL[1:], crew(failed="boom")],
        [*WELL[1:], crew(failed="boom")],
    ],
    ids=[
        "well",
        "a little slower",
        "not run",
        "tool hung",
        "tool failed",
        "tool blocked",
        "model hung",
        "model unseen",
    ],
)
def test_where_a_part_explains_it_or_nothing_happened_no_agent_is_bisected(results):
    assert list(agent_bisect.plan(INVENTORY, Options(llm="embedded"), results)) == []
