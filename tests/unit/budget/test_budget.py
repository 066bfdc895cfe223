"""The ledger's arithmetic, its scopes, and what it says would have ended a wait."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewdoctor import wording
from crewdoctor.budget import FOREVER, backoff, call_ceiling, cost, ledger_of, outlives, task_ceiling
from crewdoctor.budget.arithmetic import longest, times, total
from crewdoctor.model.inventory import AgentEntry, Inventory, LlmEntry, ScanEntry, TaskEntry, ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Step
from crewdoctor.model.recording import Header, Recording
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Location, Provenance, Seconds, Setting
from crewdoctor.model.span import Failure, FailureKind, Span

WRITTEN = Provenance("python", "crew.py:14", Location("crew.py", 14))
SDK = Provenance("default", "default of openai 2.54.0")
AGENT, MODEL, TOOL = "agent:Planner", "agent:Planner/llm", "tool:lookup"

timeouts = st.one_of(st.floats(min_value=0, max_value=1e4).map(Seconds), st.sampled_from([UNLIMITED, UNKNOWN]))


def crew(  # noqa: PLR0913 - each is one setting of the crew
    *,
    read=600.0,
    read_by=SDK,
    retries=2,
    again=2,
    deadline=None,
    tool=None,
    tool_by=WRITTEN,
    scan=(),
    spans=(),
    outer=None,
):
    limit = UNLIMITED if deadline is None else Seconds(deadline)
    settings = [
        Setting(MODEL, "llm", "timeout.connect", Seconds(5.0), SDK),
        Setting(MODEL, "llm", "timeout.read", read if read in (UNLIMITED, UNKNOWN) else Seconds(read), read_by),
        Setting(MODEL, "llm", "max_retries", retries, SDK),
        Setting(AGENT, "agent", "max_retry_limit", again, SDK),
        Setting(AGENT, "agent", "max_execution_time", limit, WRITTEN),
    ]
    if tool is not None:
        settings.append(Setting(TOOL, "tool", "timeout", tool, tool_by))
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
        scan=tuple(scan),
    )
    return Recording(Header(options=Options(outer=outer)), inventory, spans=tuple(spans))


def ceiling(ledger, name):
    return next(scope.ceiling for scope in ledger.walk() if scope.name == name)


@pytest.mark.parametrize(("timeout", "expected"), [(10, 94.5), (30, 274.5), (60, 544.5), (600, 5404.5)])
def test_the_worst_case_of_the_defaults_is_the_published_one(timeout, expected):
    call = call_ceiling(Seconds(timeout), 2)

    assert task_ceiling(call, 3, UNKNOWN) == (Seconds(expected), 3)


def test_backoff_doubles_from_half_a_second_to_eight():
    assert [backoff(retries) for retries in range(8)] == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 23.5, 31.5]


@given(timeouts, st.integers(0, 20))
def test_a_call_is_as_unlimited_or_unknown_as_its_attempts(timeout, retries):
    call = call_ceiling(timeout, retries)

    if isinstance(timeout, Seconds):
        assert isinstance(call, Seconds)
        assert call.value >= timeout.value
    else:
        assert call is timeout


@given(st.lists(timeouts, max_size=6))
def test_unlimited_swallows_and_unknown_swallows_numbers(parts):
    for combined in (total(*parts), longest(*parts)):
        if UNLIMITED in parts:
            assert combined is UNLIMITED
        elif UNKNOWN in parts:
            assert combined is UNKNOWN
        else:
            assert isinstance(combined, Seconds)


@given(timeouts, timeouts)
def test_what_is_unknown_outlives_nothing_and_what_has_no_limit_is_outlived_by_nothing(inner, outer):
    if inner is UNKNOWN or not isinstance(outer, Seconds):
        assert not outlives(inner, outer)
    elif inner is UNLIMITED:
        assert outlives(inner, outer)


@given(st.floats(0, 1e4), st.integers(0, 5), st.integers(1, 5), st.floats(0.1, 1e5))
def test_a_call_that_outlives_the_deadline_is_made_once(timeout, retries, executions, deadline):
    call = call_ceiling(Seconds(timeout), retries)
    task, made = task_ceiling(call, executions, Seconds(deadline))

    assert made == (1 if outlives(call, Seconds(deadline)) else executions)
    assert task == times(made, call)


def test_ranking_costs_know_for_ever_and_never_guess():
    assert cost(Seconds(12.0)) == 12.0
    assert cost(UNLIMITED, 3.0) == FOREVER
    assert cost(UNKNOWN, 3.0) == 3.0


def test_scopes_nest_and_the_crew_is_as_long_as_its_longest_task():
    ledger = ledger_of(crew(tool=Seconds(20.0)))

    assert [scope.name for scope in ledger.walk()] == ["crew", "task", "agent", "llm call", "attempt", "tool call"]
    assert ceiling(ledger, "attempt") == Seconds(600.0)
    assert ceiling(ledger, "llm call") == Seconds(1801.5)
    assert ceiling(ledger, "agent") == ceiling(ledger, "crew") == Seconds(5404.5)
    assert ledger.longest_hang.startswith(
        "the longest this crew can hang: 90 min (agent:Planner/llm silent: 3 executions"
    )


def test_one_tool_without_a_timeout_makes_everything_around_it_endless():
    ledger = ledger_of(crew(tool=UNLIMITED))

    assert ceiling(ledger, "crew") is UNLIMITED
    assert ledger.longest_hang == "the longest this crew can hang: for ever (tool:lookup has no timeout)"


def test_an_unknown_tool_makes_the_sum_unknown_and_the_sentence_careful():
    ledger = ledger_of(crew(tool=UNKNOWN))

    assert ceiling(ledger, "crew") is UNKNOWN
    assert "at least 90 min" in ledger.longest_hang


def test_an_inversion_needs_an_outer_limit_and_says_who_wrote_the_inner_one():
    assert ledger_of(crew(tool=Seconds(20.0))).inversions == ()
    defaults = ledger_of(crew(deadline=60.0, tool=Seconds(20.0))).inversions
    both = ledger_of(crew(deadline=60.0, read=30.0, read_by=WRITTEN, tool=Seconds(90.0))).inversions

    assert [(each.inner, each.both_written) for each in defaults] == [(MODEL, False)]
    assert [(each.inner, each.both_written) for each in both] == [(MODEL, True), (TOOL, True)]
    assert both[0].ceiling == Seconds(91.5)


def test_max_execution_time_is_shown_and_bounds_nothing():
    ledger = ledger_of(crew(deadline=60.0, tool=UNLIMITED))
    agent = next(scope for scope in ledger.walk() if scope.name == "agent")

    assert agent.ceiling is UNLIMITED
    assert "does not interrupt" in agent.formula
    assert "llm call agent:Planner/llm can last 1801.5 s, limit 60 s" in agent.inversion


def test_the_platforms_own_limit_is_the_outermost_scope():
    ledger = ledger_of(crew(tool=Seconds(20.0), outer=60.0))

    assert ledger.roots[0].name == "outer"
    assert "5404.5 s" in ledger.roots[0].inversion


def llm_call(number, step, took):
    return Span(f"1.{number}", step, "llm.call", 0, took, Layer.LLM, MODEL)


def floors(recording):
    return {scope.name: scope.floor for root in ledger_of(recording).scopes for scope in walk(root)}


def test_floors_are_what_the_crews_own_calls_took_and_blank_where_it_made_none():
    ours = [llm_call(1, "llm.sdk@x", 45.0), llm_call(2, "llm.crewai@x", 0.1)]
    crews = [llm_call(3, "crew.kickoff@x", 0.7), llm_call(4, "crew.kickoff@x", 0.5)]

    shown = floors(crew(tool=Seconds(20.0), spans=[*ours, *crews]))

    assert shown["llm call"] == "0.50 s"
    assert shown["tool call"] == ""
    assert floors(crew(read=30.0, spans=ours))["llm call"] == ""


def test_the_one_call_of_a_preflight_is_a_floor_and_a_round_of_the_bisection_is_none():
    step = Step("llm.sdk@x", "llm.sdk", Layer.LLM, MODEL, "loaded", 24.0, args={"once": True})
    round_ = Span("2.1", "agent.bisect@x", "agent.execution", 0, 0.2, Layer.AGENT, AGENT)
    recording = replace(
        crew(spans=[llm_call(1, "llm.sdk@x", 0.9), round_]), results=(StepResult(step, Status.OK, 0.0, 1.0),)
    )

    shown = floors(recording)

    assert shown["llm call"] == "0.90 s"
    assert shown["agent"] == ""


def walk(scope):
    yield scope
    for child in scope.children:
        yield from walk(child)


def test_the_wire_outranks_what_the_source_says():
    line = Location("/project/tools.py", 57)
    entry = ScanEntry(line, "requests", "requests.get", {"timeout": "unlimited"}, (TOOL,))
    seen = Span(
        "2.1",
        "tool.isolated@x",
        "http.request",
        0,
        1,
        Layer.TOOL,
        TOOL,
        attrs={"client": "requests", "timeout": {"read": {"timeout": 10.0}}},
    )

    assert ledger_of(crew(scan=[entry])).tool(TOOL).timeout is UNLIMITED
    assert ledger_of(crew(scan=[entry])).tool(TOOL).where == "tools.py:57"
    assert ledger_of(crew(scan=[entry], spans=[seen])).tool(TOOL).timeout == Seconds(10.0)


def test_a_socket_of_asyncio_says_nothing_about_the_limit():
    seen = Span("2.1", "s", "net.exchange", 0, 1, Layer.TOOL, TOOL, attrs={"timeout": {"timeout": 0.0}})

    assert ledger_of(crew(spans=[seen])).tool(TOOL).timeout is UNKNOWN


def test_what_would_have_ended_a_tool_names_the_limit_that_does_not():
    ending = ledger_of(crew(deadline=30.0, tool=UNLIMITED)).would_end_tool(TOOL)

    assert ending.after is UNLIMITED
    assert ending.text == (
        "nothing would have ended it: no timeout is set, and the agent's max_execution_time=30 does not interrupt it"
    )
    within = ledger_of(crew(deadline=30.0, tool=Seconds(20.0))).would_end_tool(TOOL)
    assert within.text == "its timeout of 20 s (crew.py:14) would have ended it"
    unread = ledger_of(crew()).would_end_tool(TOOL)
    assert (unread.after, unread.text) == (UNKNOWN, "what would have ended it could not be read")


def test_what_would_have_ended_a_model_call_counts_every_attempt():
    ending = ledger_of(crew()).would_end_llm(MODEL)

    assert ending.after == Seconds(5404.5)
    assert "the crew would have made 9: 90 min" in ending.text
    assert ledger_of(crew(read=UNLIMITED)).would_end_llm(MODEL).after is UNLIMITED
    assert ledger_of(crew(read=UNKNOWN)).would_end_llm(MODEL).after is UNKNOWN


def test_an_sdk_that_repeats_no_silence_is_waited_for_once_per_execution():
    recording = crew(read=300.0, retries=3)
    silence = Setting(MODEL, "llm", "max_retries.read", 0, SDK)
    inventory = replace(recording.inventory, settings=(*recording.inventory.settings, silence))

    ending = ledger_of(replace(recording, inventory=inventory)).would_end_llm(MODEL)

    assert ending.after == Seconds(900.0)
    assert "the crew would have made 3" in ending.text


def test_a_target_that_did_not_load_has_an_empty_ledger():
    ledger = ledger_of(Recording(Header()))

    assert (ledger.scopes, ledger.longest_hang, ledger.terms(MODEL)) == ((), "", None)


@pytest.mark.parametrize(("known", "requests"), [({}, 27), ({"rate_limit_attempts": 1}, 9)])
def test_requests_on_a_429_count_the_retry_the_installed_crewai_has(known, requests):
    recording = crew(tool=Seconds(10.0))
    recording = replace(recording, inventory=replace(recording.inventory, environment=known))
    assert any(
        f"on 429 {requests} requests" in scope.formula for root in ledger_of(recording).roots for scope in walk(root)
    )


def test_every_model_of_a_crew_has_terms():
    """Else nothing could be said of what ends the silence of a planner's or a manager's model."""
    recording = crew()
    planner, caller, foreign = "crew/planning_llm", f"{AGENT}/function_calling_llm", f"{AGENT}/guardrail_llm"
    models = [LlmEntry(each, "o4-mini", "openai", True) for each in (planner, caller)]
    settings = [Setting(each.subject, "llm", "timeout.read", Seconds(40.0), WRITTEN) for each in models]
    inventory = replace(
        recording.inventory,
        llms=(*recording.inventory.llms, *models, LlmEntry(foreign, "House", "House", False)),
        settings=(*recording.inventory.settings, *settings),
    )
    ledger = ledger_of(replace(recording, inventory=inventory))

    assert ledger.terms(planner).formula == f"3 executions {wording.TIMES} 40 s"
    assert ledger.would_end_llm(caller).text == "its read timeout of 40 s (crew.py:14) would have ended this attempt"
    assert ledger.terms(foreign) is None
    assert [each.subject for each in ledger.models] == [MODEL, planner, caller]


def test_a_count_of_tokens_before_each_call_doubles_what_a_silent_provider_holds():
    base = crew(tool=Seconds(1.0))
    entry = replace(base.inventory.llms[0], attrs={"token_count_preflight": True})
    window = Setting(AGENT, "agent", "respect_context_window", value=True, provenance=SDK)
    inventory = replace(base.inventory, llms=(entry,), settings=(*base.inventory.settings, window))
    asked = replace(inventory, environment={"token_count_preflight": True})

    assert ceiling(ledger_of(replace(base, inventory=inventory)), "agent") == Seconds(5404.5)
    counted = ledger_of(replace(base, inventory=asked))
    assert ceiling(counted, "agent") == Seconds(10809.0)
    assert counted.models[0].attempts == 18
    assert "2 requests (token count, call)" in counted.longest_hang
    assert ceiling(counted, "llm call") == Seconds(1801.5)
    off = replace(window, value=False)
    asked = replace(asked, settings=(*base.inventory.settings, off))
    assert ceiling(ledger_of(replace(base, inventory=asked)), "agent") == Seconds(5404.5)


def test_retries_that_nobody_can_read_multiply_nothing_and_are_called_unknown():
    base = crew(read=30.0, retries=None)
    terms = ledger_of(base).models[0]

    assert terms.attempt == Seconds(30.0)
    assert terms.call is UNKNOWN
    assert "nobody knows how many" in terms.formula
    assert ledger_of(crew(read=UNLIMITED, retries=None)).models[0].call is UNLIMITED


def test_of_the_package_litellm_an_exception_ends_the_task_at_once_and_bedrock_sleeps_longer():
    base = crew(read=10.0)
    behind = replace(base.inventory, llms=(replace(base.inventory.llms[0], provider="litellm"),))
    amazon = replace(base.inventory, llms=(replace(base.inventory.llms[0], provider="bedrock"),))

    assert ledger_of(replace(base, inventory=behind)).models[0].made == 1
    assert ledger_of(replace(base, inventory=amazon)).models[0].call == Seconds(33.0)


def test_each_address_that_drops_connects_costs_its_timeout_again():
    dropped = Failure(FailureKind.TIMEOUT_CONNECT, "timed out")
    where = {"host": "model.test", "port": 443}
    connects = [
        Span(
            "1", "s", "tcp.connect", 0.0, 5.0, Layer.NETWORK, failure=dropped, attrs={**where, "address": "2001:db8::1"}
        ),
        Span("2", "s", "tcp.connect", 5.0, 5.1, Layer.NETWORK, attrs={**where, "address": "192.0.2.1"}),
    ]
    base = crew(read=20.0, spans=connects)
    reached = replace(base.inventory.llms[0], endpoint="host:model.test:443")
    ledger = ledger_of(replace(base, inventory=replace(base.inventory, llms=(reached,))))

    assert ledger.models[0].attempt == Seconds(25.0)
    assert "(1 dropped \N{MULTIPLICATION SIGN} 5 s + 20 s)" in ledger.models[0].call_formula
    assert ledger_of(base).models[0].attempt == Seconds(20.0)


@pytest.mark.parametrize(
    ("attempts", "expected", "told"),
    [
        (4, Seconds(46.0), "tool:lookup silent: 4 attempts \N{MULTIPLICATION SIGN} 10 s + 6 s backoff, tools.py:9"),
        (0, UNLIMITED, "for ever (tool:lookup is tried without an end)"),
    ],
)
def test_a_tool_that_tries_again_lasts_as_often_as_it_tries(attempts, expected, told):
    entry = ScanEntry(
        Location("tools.py", 9), "requests", "requests.get", {"timeout": 10.0}, (TOOL,), attempts=attempts, slept=6.0
    )
    ledger = ledger_of(crew(read=0.5, retries=0, scan=(entry,)))

    assert ledger.tool(TOOL).timeout == Seconds(10.0)
    assert ceiling(ledger, "tool call") == expected
    assert told in ledger.longest_hang
