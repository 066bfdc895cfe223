"""What the ramp may do at most, is announced to do, and why it stops."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest

from crewdoctor import planner
from crewdoctor.model.inventory import AgentEntry, Endpoint, Inventory, KickoffEntry, LlmEntry, TaskEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.setting import Location
from crewdoctor.pipeline import choose_llm
from crewdoctor.probes import _climb, _pace, scale_confirm, scale_ramp
from crewdoctor.probes._level import Kickoff, Level, run

LLM = "agent:x/llm"
INVENTORY = Inventory(
    target="crew.py",
    crew="c",
    project_root="/p",
    shape="module",
    agents=(AgentEntry("agent:x", "x", LLM, prompt_chars=400),),
    tasks=(TaskEntry("task:1", "agent:x", prompt_chars=400),),
    llms=(LlmEntry(LLM, "openai/m", "openai", known=True, users=(LLM,)),),
)


def result(probe, subject, *, llm_calls=0, **facts):
    step = Step(f"{probe}@{subject}", probe, Layer.LLM, subject, "loaded", 10.0, llm_calls=llm_calls)
    return StepResult(step, Status.OK, 0.0, 1.0, facts=facts)


LOCAL = replace(INVENTORY, endpoints=(Endpoint("host:127.0.0.1:8000", "http", "127.0.0.1", 8000, "llm"),))
ABROAD = replace(INVENTORY, endpoints=(Endpoint("host:api.x:443", "https", "api.x", 443, "tool"),))


def planned(inventory=LOCAL, results=(), **options):
    (step,) = scale_ramp.plan(inventory, Options(**{"scope": "scale", "llm": "embedded", **options}), results)
    return step


@pytest.mark.parametrize(
    ("most", "levels"), [(1, [1]), (2, [1, 2]), (8, [1, 2, 4, 8]), (12, [1, 2, 4, 8, 12]), (3, [1, 2, 3])]
)
def test_levels_double_up_to_the_cap(most, levels):
    assert _pace.levels_to(most) == levels


def test_the_plan_announces_exactly_what_may_be_started():
    step = planned(max_concurrency=8)
    told = int(re.search(r"up to (\d+) times, at most 8 at once", step.announce)[1])

    assert told == sum(n * _pace.rounds_of(n) for n in step.args["levels"]) == 31
    assert (step.llm_calls, step.args["most_llm_calls"]) == (0, None)


def test_on_its_own_model_it_is_held_to_the_calls_that_are_left():
    step = planned(results=[result("llm.sdk", "agent:x/llm", llm_calls=1, answered=True)], llm="own", max_llm_calls=50)

    assert (step.llm_calls, step.args["most_llm_calls"]) == (49, 49)


@pytest.mark.parametrize(("asked", "most"), [(False, 8), (True, 16)])
def test_another_machine_is_loaded_with_more_than_eight_only_where_the_user_says_so(asked, most):
    step = planned(ABROAD, yes_load_this_endpoint=asked)

    assert step.args["levels"][-1] == most
    assert ("--yes-load-this-endpoint" in step.announce) is not asked


def test_tasks_side_by_side_count_each_towards_it():
    tasks = tuple(TaskEntry(f"task:{number}", "agent:x", async_execution=True) for number in range(3))

    assert planned(replace(ABROAD, tasks=tasks)).args["levels"][-1] == 2


def test_a_model_abroad_counts_only_where_it_is_asked_itself():
    model = replace(ABROAD, endpoints=(replace(ABROAD.endpoints[0], kind="llm"),))

    assert planned(model).args["levels"][-1] == 16
    assert planned(model, llm="own").args["levels"][-1] == 8


def test_the_style_is_the_sources_unless_another_is_asked_for():
    entry = KickoffEntry("async-each", Location("main.py", 3), "sized", 40)
    inventory = replace(LOCAL, kickoffs=entry)

    assert scale_ramp.style_of(inventory, Options()) == ("async-each", "sized", 40)
    assert scale_ramp.style_of(inventory, Options(style="threads")) == ("threads", "", 0)
    assert scale_ramp.style_of(LOCAL, Options()) == ("threads", "", 0)
    assert scale_ramp.style_of(LOCAL, Options(style="gather")) == ("gather", "default", 0)


@pytest.mark.parametrize(
    ("results", "options", "why"),
    [
        ([], {"style": "processes"}, "processes"),
        ([result("crew.kickoff", "crew:c", result="timeout.total")], {}, "did not come to its end once"),
        ([result("llm.sdk", LLM, answered=False)], {"llm": "own"}, "does not answer"),
    ],
)
def test_what_no_ramp_can_tell_is_skipped_with_the_reason(results, options, why):
    skip = planned(results=results, **options)

    assert isinstance(skip, Skip)
    assert why in skip.reason


def test_a_model_is_loaded_itself_only_on_this_machine_or_when_asked_for():
    local = replace(LOCAL, llms=(replace(LOCAL.llms[0], endpoint="host:127.0.0.1:8000", usable_key=True),))
    abroad = replace(ABROAD, llms=(replace(ABROAD.llms[0], endpoint="host:api.x:443", usable_key=True),))

    assert choose_llm(Options(scope="scale"), local, planner.RAMP) == "own"
    assert choose_llm(Options(scope="scale"), abroad, planner.RAMP) == "embedded"
    assert choose_llm(Options(scope="scale"), abroad, 1) == "own"
    assert choose_llm(Options(scope="scale", llm="own"), abroad, planner.RAMP) == "own"


def test_only_a_run_that_was_asked_to_has_the_stage():
    assert planner.RAMP not in planner.stages(Options())
    assert planner.stages(Options(scale=True))[-1] == planner.stages(Options(scope="scale"))[-1] == planner.RAMP


def row(n, median, per_second, **more):
    held = {"n": n, "median": median, "longest": median, "per_second": per_second, "complete": True}
    return {**held, "started": 2 * n, "ended": 2 * n, "failed": 0, "failed_requests": 0, **more}


@pytest.mark.parametrize(
    ("rows", "stopped"),
    [
        ([row(1, 1.0, 1.0)], ""),
        ([row(1, 1.0, 1.0), row(2, 1.0, 2.0)], ""),
        ([row(1, 1.0, 1.0), row(4, 1.4, 3.0), row(8, 2.4, 3.3)], "knee"),
        ([row(1, 1.0, 1.0), row(4, 1.4, 3.0), row(8, 2.4, 4.0)], ""),  # slower, and still more comes through
        ([row(1, 1.0, 1.0), row(4, 1.4, 3.0), row(8, 2.4, 3.3, lag=0.4)], ""),  # everything stood still for a while
        ([row(1, 1.0, 1.0), row(4, 1.4, 3.0), row(8, 2.4, 3.3, late=0.2)], ""),
        ([row(1, 0.1, 10.0), row(2, 0.3, 7.0)], ""),  # two tenths of a second are no finding
        ([row(1, 1.0, 1.0), row(2, 1.0, 2.0, failed=1)], "errors"),
        ([row(1, 1.0, 1.0, failed=3)], "errors"),
        ([row(1, 1.0, 1.0), row(2, 1.0, 2.0, failed_requests=2)], "errors"),
        ([row(1, 1.0, 1.0, failed_requests=3), row(2, 1.0, 2.0, failed_requests=4)], ""),  # as alone
        ([row(1, 1.0, 1.0), row(2, None, 0.0, complete=False)], "unfinished"),
    ],
)
def test_when_no_further_level_would_tell_more(rows, stopped):
    assert _pace.stop_after(rows) == stopped


class Seen(SimpleNamespace):
    def remaining(self):
        return self.left

    def made(self, name):
        return self.spans.get(name, [])


@pytest.mark.parametrize(
    ("n", "left", "spans", "args", "reason"),
    [
        (8, 100.0, {}, {}, ""),
        (8, 5.0, {}, {}, "deadline"),
        (8, 100.0, {"llm.call": [({}, None)] * 28}, {"most_llm_calls": 40}, "max-llm-calls"),
        (8, 100.0, {"llm.call": [({}, None)] * 28}, {"most_llm_calls": 60}, ""),
        (16, 200.0, {"tcp.connect": [({"address": "10.0.0.7"}, None)]}, {}, "endpoint"),
        (16, 200.0, {"tcp.connect": [({"address": "10.0.0.7"}, None)]}, {"unasked": None}, ""),
        (16, 200.0, {"tcp.connect": [({"address": "127.0.0.1"}, None)]}, {}, ""),
        (8, 200.0, {"tcp.connect": [({"address": "10.0.0.7"}, None)]}, {}, ""),
    ],
)
def test_a_level_is_not_begun_that_would_overspend(n, left, spans, args, reason):
    rows = [row(1, 1.0, 1.0, started=3), row(2, 1.0, 2.0), row(4, 1.0, 4.0, started=7)]
    step = SimpleNamespace(args={"most_llm_calls": None, "unasked": 8, **args})

    assert _climb._not_begun(n, rows, step, Seen(left=left, spans=spans)) == reason


class Bench:
    """Takes whatever it is told."""

    def span(self, *_args, **_more):
        return nullcontext()

    def classify(self, error):
        return SimpleNamespace(kind=SimpleNamespace(value=type(error).__name__))


class Crew:
    """Counts how many of it run at once."""

    going = most = 0

    def kickoff(self, inputs=None):
        type(self).going += 1
        type(self).most = max(type(self).most, type(self).going)
        time.sleep(0.05)
        type(self).going -= 1
        if inputs == {"fail": True}:
            raise ValueError

    async def kickoff_async(self, inputs=None):
        return await asyncio.to_thread(self.kickoff, inputs)

    akickoff = kickoff_async


def level(n, style, pool="", workers=0, inputs=None):
    return Level(n, 2, 0.02, style, pool, workers, inputs or {}, "crew:c", simulated=True)


@pytest.mark.parametrize(
    ("style", "pool", "workers", "most"),
    [
        ("threads", "", 0, 6),
        ("threads", "sized", 2, 2),
        ("async-each", "unknown", 0, 6),
        ("async-each", "sized", 3, 3),
        ("akickoff-each", "sized", 2, 2),
        ("gather", "sized", 1, 1),
    ],
)
def test_every_caller_makes_its_kickoffs_and_no_more_run_than_the_pool_lets(style, pool, workers, most):
    crews = type("Mine", (Crew,), {"going": 0, "most": 0})
    held = level(6, style, pool, workers)
    run(Bench(), held, [[crews(), crews()] for _ in range(6)], lambda: False)

    assert held.complete
    assert [bool(each.end) for each in held.kickoffs] == [True] * 12
    assert 1 <= crews.most <= most


@pytest.mark.parametrize("style", ["threads", "async-each"])
def test_a_kickoff_that_raises_is_counted_and_stops_nobody(style):
    held = level(3, style, inputs={"fail": True})
    run(Bench(), held, [[Crew(), Crew()] for _ in range(3)], lambda: False)
    told = _pace.row(held, 0.0, 1.0, 0.1, 0)

    assert (told["ended"], told["failed"], told["failures"], told["median"]) == (6, 6, {"ValueError": 6}, None)


def test_what_does_not_end_is_not_waited_for():
    held = level(2, "threads")
    run(Bench(), held, [[Crew()] * 40] * 2, lambda: len(held.kickoffs) > 3)

    assert not held.complete
    assert held.stop


def test_throughput_is_what_was_going_on_over_what_one_took():
    held = level(4, "threads")
    held.kickoffs = [
        Kickoff(0.1 * number + 2.0 * turn, 0.1 * number + 2.0 * turn + 2.0) for number in range(4) for turn in (0, 1)
    ]
    told = _pace.row(held, 0.0, 4.3, 0.2, 0)

    assert told["median"] == pytest.approx(2.0)
    assert told["per_second"] == pytest.approx(2.0, rel=0.05)


def test_a_gate_lets_so_many_through_and_their_clocks_run_from_then():
    crews = type("Mine", (Crew,), {"going": 0, "most": 0})
    for style in ("threads", "async-each"):
        crews.most = 0
        held = level(6, style, "unknown")
        held.gate = 2
        run(Bench(), held, [[crews(), crews()] for _ in range(6)], lambda: False)

        assert crews.most == 2
        assert max(sum(other.start <= each.start < other.end for other in held.kickoffs) for each in held.kickoffs) <= 2


def climbed(**facts):
    step = Step("scale.ramp@crew:c", "scale.ramp", Layer.CREW, "crew:c", "loaded", 100.0, {"style": "threads"})
    return StepResult(step, Status.OK, 0.0, 1.0, facts=facts)


@pytest.mark.parametrize(
    ("change", "rows", "options", "told"),
    [
        (
            "executor:8",
            [row(1, 1.0, 1.0), row(8, 3.0, 2.0)],
            {},
            "the crew 16 times, 8 at once, with 8 threads",
        ),
        ("gate:2", [row(1, 1.0, 1.0), row(4, 3.0, 2.0)], {}, "8 times, 4 at once, with at most 2 kickoffs let through"),
        ("", [row(1, 1.0, 1.0), row(8, 3.0, 2.0)], {}, "no limit was met"),
        ("gate:1", [row(1, 1.0, 1.0)], {}, "no limit was met"),
        ("executor:8", None, {}, "no limit was met"),
        ("executor:8", [row(1, 1.0, 1.0), row(8, 3.0, 2.0)], {"llm": "own", "max_llm_calls": 3}, "calls of its own"),
    ],
)
def test_what_is_confirmed_is_announced_too(change, rows, options, told):
    facts = {"levels": rows} if rows else {}
    asked = Options(**{"scope": "scale", "llm": "embedded", "confirm": True, "change": change, **options})
    (step,) = scale_confirm.plan(LOCAL, asked, [replace(climbed(**facts), step=replace(climbed().step, llm_calls=30))])

    assert told in (step.reason if isinstance(step, Skip) else step.announce)


def test_a_change_in_the_worker_is_only_planned_where_it_was_asked_for():
    assert planner.CONFIRM not in planner.stages(Options(scope="scale"))
    assert planner.stages(Options(scope="scale", confirm=True))[-2:] == (planner.RAMP, planner.CONFIRM)
