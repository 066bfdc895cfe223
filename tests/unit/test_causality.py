"""Causes by structure, on generated graphs: nothing here knows a rule."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from crewdoctor.causality import order
from crewdoctor.model.finding import Finding, Severity
from crewdoctor.model.inventory import AgentEntry, Endpoint, Inventory, LlmEntry, ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.model.recording import Header, Recording
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.span import Failure, FailureKind, Span

AGENT, MODEL, FIRST, SECOND = "agent:a", "agent:a/llm", "tool:first", "tool:second"
HOST, OTHER_HOST = "host:one:80", "host:two:80"
SUBJECTS = [AGENT, MODEL, FIRST, SECOND, HOST, OTHER_HOST]
LAYERS = {"agent": Layer.AGENT, "tool": Layer.TOOL, "host": Layer.NETWORK, "proxy": Layer.NETWORK}

INVENTORY = Inventory(
    "crew.py",
    "c",
    "/project",
    "module",
    agents=(AgentEntry(AGENT, "a", MODEL, (FIRST, SECOND)),),
    tools=(ToolEntry(FIRST, "first", "function", None), ToolEntry(SECOND, "second", "function", None)),
    llms=(LlmEntry(MODEL, "gpt-4o", "openai", True),),
    endpoints=(
        Endpoint(HOST, "http", "one", 80, "tool", (FIRST,)),
        Endpoint(OTHER_HOST, "http", "two", 80, "tool", (SECOND,)),
    ),
)


def layer(subject):
    return Layer.LLM if subject.endswith("/llm") else LAYERS[subject.split(":")[0]]


def span(ident, start, end, parent=None, *, failed=False):
    failure = Failure(FailureKind.EXCEPTION) if failed else None
    return Span(ident, "crew.kickoff@c", "any", start, end, Layer.CREW, parent=parent, failure=failure)


def recording(*spans, end=100.0):
    return Recording(Header(), INVENTORY, spans=tuple(spans), end=end)


def finding(subject, *evidence, code="CD001", severity=Severity.ERROR, lost=1.0, **more):
    return Finding(code, "any", severity, layer(subject), subject, f"{code} {subject}", evidence, lost=lost, **more)


@st.composite
def worlds(draw):
    spans = [span("s0", 0.0, draw(st.sampled_from([None, 50.0])))]
    for index in range(1, draw(st.integers(1, 9))):
        start = draw(st.floats(0, 40))
        length = draw(st.one_of(st.none(), st.floats(0, 50)))
        parent = draw(st.sampled_from([None, *(each.id for each in spans), "gone", f"s{index}"]))
        spans.append(
            span(f"s{index}", start, None if length is None else start + length, parent, failed=draw(st.booleans()))
        )
    names = st.sampled_from([each.id for each in spans] + ["setting:x:limit", "setting:y:limit"])
    findings = [
        finding(
            draw(st.sampled_from(SUBJECTS)),
            *draw(st.lists(names, min_size=1, max_size=4, unique=True)),
            code=f"CD{number:03}",
            severity=draw(st.sampled_from(list(Severity))),
            lost=draw(st.floats(0, 1000)),
            observed=draw(st.booleans()),
            depends_on=tuple(draw(st.lists(st.sampled_from(SUBJECTS), max_size=2))),
            host=draw(st.sampled_from(["", "one:80", "two:80"])),
        )
        for number in range(draw(st.integers(0, 9)))
    ]
    return recording(*spans), findings


def flat(shown):
    return [replace(each, explained=()) for root in shown for each in (root, *root.explained)]


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_every_finding_is_shown_exactly_once(world):
    held, findings = world

    assert sorted(flat(order(findings, held)), key=lambda each: each.code) == sorted(
        findings, key=lambda each: each.code
    )


@settings(max_examples=60, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_in_which_rules_ran_does_not_matter(world, dice):
    held, findings = world
    shuffled = list(findings)
    dice.shuffle(shuffled)

    assert order(shuffled, held) == order(findings, held)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_nothing_is_explained_by_what_is_milder_or_was_never_seen(world):
    held, findings = world

    for root in order(findings, held):
        for each in root.explained:
            assert each.severity is not Severity.INFO
            assert root.severity.rank <= each.severity.rank
            assert root.observed or not each.observed


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_roots_come_gravest_first_then_seen_then_costliest_then_lowest_and_notes_last(world):
    held, findings = world
    shown = order(findings, held)
    keys = [(each.severity.rank, not each.observed, -each.lost, each.layer.rank) for each in shown]

    assert keys == sorted(keys)
    assert all(not each.explained for each in shown if each.severity is Severity.INFO)


@settings(max_examples=80, deadline=None)
@given(st.floats(0, 1000), st.floats(0, 1000))
def test_of_two_independent_faults_the_one_that_cost_more_comes_first(one, other):
    held = recording(span("s1", 0, 10), span("s2", 20, 30))
    faults = [finding(FIRST, "s1", code="CD001", lost=one), finding(SECOND, "s2", code="CD002", lost=other)]
    shown = order(faults, held)

    assert [each.explained for each in shown] == [(), ()]
    assert shown[0].lost == max(one, other)


@settings(max_examples=80, deadline=None)
@given(st.permutations(range(5)), st.lists(st.floats(0, 100), min_size=5, max_size=5))
def test_a_chain_folds_under_its_first_link(places, losses):
    """Each finding depends on the one before it; whatever they cost, the first explains them all."""
    links = [f"tool:link{number}" for number in range(5)]
    chain = [
        finding(
            links[number],
            "s1",
            code=f"CD{number:03}",
            lost=losses[number],
            depends_on=tuple(links[number - 1 : number]),
        )
        for number in range(5)
    ]
    (root,) = order([chain[place] for place in places], recording(span("s1", 0, 10)))

    assert root.subject == links[0]
    assert {each.subject for each in root.explained} == set(links[1:])


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 6), st.lists(st.floats(0, 100), min_size=6, max_size=6, unique=True))
def test_a_ring_keeps_one_root(size, losses):
    ring = [f"tool:ring{number}" for number in range(size)]
    findings = [
        finding(ring[number], "s1", code=f"CD{number:03}", lost=losses[number], depends_on=(ring[number - 1],))
        for number in range(size)
    ]
    shown = order(findings, recording(span("s1", 0, 10)))

    assert len(shown) == 1
    assert len(shown[0].explained) == size - 1


def test_a_hang_explains_the_agent_that_waited_for_it():
    held = recording(span("agent", 0, None), span("tool", 5, None, "agent"))
    (root,) = order(
        [finding(AGENT, "agent", code="CD001", lost=90), finding(FIRST, "tool", code="CD002", lost=5)], held
    )

    assert (root.subject, root.explained[0].subject) == (FIRST, AGENT)


def test_a_call_that_took_little_of_the_agents_time_does_not_explain_it():
    held = recording(span("agent", 0, 60), span("tool", 5, 6, "agent"))
    shown = order([finding(AGENT, "agent", code="CD001", lost=60), finding(FIRST, "tool", code="CD002", lost=1)], held)

    assert [each.subject for each in shown] == [AGENT, FIRST]


def test_a_port_that_refuses_in_a_millisecond_does_not_explain_a_minute():
    cheap = finding(HOST, "s1", code="CD001", lost=0.001)
    dear = finding(AGENT, "s2", code="CD002", lost=60.0)

    assert [each.subject for each in order([cheap, dear], recording(span("s1", 0, 1), span("s2", 2, 62)))] == [
        AGENT,
        HOST,
    ]


def test_a_dead_host_explains_the_tool_that_calls_it():
    host = finding(HOST, "s1", code="CD001", lost=0.001)
    tool = finding(FIRST, "s2", code="CD002", lost=2.0, host="one:80")
    (root,) = order([tool, host], recording(span("s1", 0, 1), span("s2", 2, 4)))

    assert (root.subject, root.explained[0].subject) == (HOST, FIRST)


def test_a_proxy_explains_what_depends_on_an_endpoint_its_clients_reach_through_it():
    decisions = [{"client": "httpx", "proxy": "http://127.0.0.1:3128", "subject": "proxy:127.0.0.1:3128"}]
    step = Step("net.proxy@host:h:443", "net.proxy", Layer.NETWORK, "host:h:443", "crew", 9.0)
    asked = StepResult(step, Status.OK, 0.0, 1.0, facts={"decisions": decisions})
    refusing = finding("proxy:127.0.0.1:3128", "1.1", lost=0.01)
    storm = finding("agent:a/llm", "1.2", lost=4.0, depends_on=("host:h:443",))
    held = recording(span("1.1", 0.0, 0.1, failed=True), span("1.2", 2.0, 6.0, failed=True))
    (root,) = order([storm, refusing], replace(held, results=(asked,)))
    assert (root.subject, [each.subject for each in root.explained]) == (refusing.subject, [storm.subject])
    assert len(order([storm, refusing], held)) == 2


def test_what_was_seen_explains_what_was_foretold_of_the_same_subject():
    seen = finding(FIRST, "s1", code="CD001")
    foretold = finding(FIRST, "setting:x:limit", code="CD002", severity=Severity.WARNING, observed=False)
    (root,) = order([foretold, seen], recording(span("s1", 0, 1)))

    assert (root.code, root.explained[0].code) == ("CD001", "CD002")


def test_the_wider_observation_explains_the_narrower_of_the_same_subject():
    held = recording(span("a", 0, 1), span("b", 2, 3), span("c", 4, 9))
    wide, narrow = finding(FIRST, "a", "b", "c", code="CD002", lost=1), finding(FIRST, "c", code="CD001", lost=5)
    (root,) = order([narrow, wide], held)

    assert (root.code, root.explained[0].code) == ("CD002", "CD001")


def test_the_same_span_twice_makes_nobody_the_cause():
    held = recording(span("a", 0, 5))
    shown = order([finding(FIRST, "a", code="CD001", lost=5), finding(SECOND, "a", code="CD002", lost=4)], held)

    assert [each.code for each in shown] == ["CD001", "CD002"]


def test_a_part_of_what_somebody_graver_tells_is_folded_into_it_and_no_other_part():
    call = replace(span("tool", 5, 60, "agent"), subject=FIRST)
    held = recording(span("agent", 0, 60), call, replace(span("other", 1, 50), subject=SECOND))
    agent = finding(AGENT, "agent", "tool", code="CD001", lost=50)
    slow = finding(FIRST, "tool", code="CD002", severity=Severity.WARNING, lost=50)
    elsewhere = finding(SECOND, "other", code="CD003", severity=Severity.WARNING, lost=50)
    shown = order([slow, elsewhere, agent], held)

    assert [(each.code, [held.code for held in each.explained]) for each in shown] == [
        ("CD001", ["CD002"]),
        ("CD003", []),
    ]


def test_a_proxy_explains_what_depends_on_a_host_behind_it_however_little_it_cost():
    step = Step(f"net.proxy@{HOST}", "net.proxy", Layer.NETWORK, HOST, "crew", 15.0)
    decisions = [{"client": "httpx", "proxy": "http://p:3128", "subject": "proxy:p:3128"}]
    result = StepResult(step, Status.OK, 0.0, 1.0, facts={"decisions": decisions})
    held = replace(recording(span("s0", 0.0, 1.0), span("s1", 2.0, 9.0)), results=(result,))
    refused = replace(finding(HOST, "s0", lost=0.1), subject="proxy:p:3128")
    behind, elsewhere = (
        finding(MODEL, "s1", code="CD002", lost=7.0, depends_on=(MODEL, each)) for each in (HOST, OTHER_HOST)
    )

    assert [each.subject for each in order([refused, behind], held)] == ["proxy:p:3128"]
    assert [each.subject for each in order([refused, elsewhere], held)] == [MODEL, "proxy:p:3128"]


def test_what_is_only_foretold_and_cost_nothing_is_not_folded_into_another_latent_mistake():
    agent = finding(AGENT, "setting:agent:a:dropped.timeout", code="CD406", lost=0.0, observed=False)
    model = finding(MODEL, "setting:agent:a/llm:timeout.read", code="CD202", lost=0.0, observed=False)

    assert [each.subject for each in order([agent, model], recording())] == [MODEL, AGENT]
