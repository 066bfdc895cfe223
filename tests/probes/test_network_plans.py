"""What the network probes would do, before they do anything."""

from dataclasses import replace

import pytest

from crewdoctor.model.inventory import Endpoint, Inventory, LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.result import Status, StepResult
from crewdoctor.net.clients import proxy_choice
from crewdoctor.probes import net_dns, net_plain, net_proxy, net_tcp, net_tls
from crewdoctor.worker import without_crew

MODEL = Endpoint("host:api.example:443", "https", "api.example", 443, "llm", ("agent:a/llm",), ("openai",))
TOOL = Endpoint("host:svc.example:80", "http", "svc.example", 80, "tool", ("tool:t",), ("requests",))
AGAIN = Endpoint("host:svc.example:81", "http", "svc.example", 81, "tool", ("tool:t",))
LITERAL = Endpoint("host:10.0.0.7:80", "http", "10.0.0.7", 80, "tool", ("tool:t",))
LOCAL = Endpoint("host:localhost:80", "http", "localhost", 80, "tool", ("tool:t",))
PROXY = Endpoint("proxy:proxy.example:3128", "http", "proxy.example", 3128, "proxy")
TELEMETRY = Endpoint("host:t.example:4319", "https", "t.example", 4319, "telemetry")
EVERYTHING = (MODEL, TOOL, AGAIN, LITERAL, LOCAL, PROXY, TELEMETRY)


def planned(probe, *endpoints, usable_key=True, llm="own"):
    models = (LlmEntry("agent:a/llm", "gpt-4o", "openai", True, MODEL.subject, usable_key=usable_key),)
    inventory = Inventory("crew.py", "crew:crew", ".", "module", endpoints=endpoints, llms=models)
    found = list(probe.plan(inventory, Options(llm=llm), []))
    steps = {each.subject: each for each in found if isinstance(each, Step)}
    return steps, {each.subject: each.reason for each in found if isinstance(each, Skip)}


def test_a_name_is_resolved_once_and_addresses_never():
    steps, skips = planned(net_dns, *EVERYTHING)

    assert set(steps) == {MODEL.subject, TOOL.subject, PROXY.subject, TELEMETRY.subject}
    assert skips == {
        LITERAL.subject: "no name to look up: it is an address",
        LOCAL.subject: "localhost is answered by the hosts file",
    }
    assert {step.worker for step in steps.values()} == {"own"}


def test_every_endpoint_is_connected_to_from_the_users_interpreter():
    steps, skips = planned(net_tcp, *EVERYTHING)

    assert set(steps) == {each.subject for each in EVERYTHING}
    assert skips == {}
    assert {step.worker for step in steps.values()} == {"crew"}
    assert steps[PROXY.subject].args["clients"] == []


def test_hands_are_shaken_where_a_client_would():
    steps, skips = planned(net_tls, *EVERYTHING)

    assert set(steps) == {MODEL.subject}
    assert skips == {}
    assert steps[MODEL.subject].args["clients"] == ["openai"]


def test_clients_are_asked_for_the_way_to_what_the_crew_itself_calls():
    steps, _ = planned(net_proxy, *EVERYTHING)

    assert set(steps) == {each.subject for each in (MODEL, TOOL, AGAIN, LITERAL, LOCAL)}
    assert "HEAD" in steps[TOOL.subject].announce


@pytest.mark.parametrize("probe", [net_dns, net_tcp, net_proxy, net_tls])
@pytest.mark.parametrize(
    ("usable_key", "llm", "left_alone"),
    [(False, "embedded", True), (True, "embedded", False), (None, "embedded", False), (True, "own", False)],
)
def test_a_model_without_a_key_is_left_alone(probe, usable_key, llm, left_alone):
    steps, skips = planned(probe, MODEL, usable_key=usable_key, llm=llm)

    assert (MODEL.subject in skips, MODEL.subject in steps) == (left_alone, not left_alone)


def ended(probe, subject, **facts):
    step = Step(f"{probe}@{subject}", probe, Layer.NETWORK, subject, "crew", 9.0)
    return StepResult(step, Status.OK, 0.0, 1.0, facts=facts)


def doubted(*results):
    """Endpoints of plain HTTP that are asked whether they speak TLS."""
    plain = replace(MODEL, scheme="http", subject="host:api.example:80", port=80)
    models = (LlmEntry("agent:a/llm", "gpt-4o", "openai", True, plain.subject, usable_key=True),)
    inventory = Inventory("crew.py", "crew:crew", ".", "module", endpoints=(plain, TOOL, PROXY), llms=models)
    return [step.subject for step in net_plain.plan(inventory, Options(llm="own"), results)]


@pytest.mark.parametrize(
    ("facts", "asked"),
    [
        ({"answered": False, "hung": False, "status": None}, True),
        ({"answered": False, "hung": False, "status": 400}, True),
        ({"answered": False, "hung": True, "status": None}, False),
        ({"answered": False, "hung": False, "status": 429}, False),
        ({"answered": True, "hung": False, "status": 200}, False),
    ],
)
def test_a_port_of_plain_http_is_asked_for_tls_only_where_its_model_got_no_answer(facts, asked):
    assert doubted(ended("llm.sdk", "agent:a/llm", **facts)) == (["host:api.example:80"] if asked else [])


def test_a_tools_port_is_asked_where_the_tool_failed_and_no_proxy_stands_between():
    failed = ended("tool.isolated", "tool:t", failed="tcp.closed")
    told = ended("tool.isolated", "tool:t", output_error="Error: connection aborted")
    way = ended("net.proxy", TOOL.subject, decisions=[{"client": "requests", "proxy": "http://p:3128"}])
    assert doubted(failed) == doubted(told) == [TOOL.subject]
    assert doubted(ended("tool.isolated", "tool:t", n1=[0.1])) == doubted(failed, way) == []


def test_a_client_with_an_interceptor_reads_no_proxy_variables(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    model = LlmEntry("agent:a/llm", "gpt-4o", "openai", True, MODEL.subject, attrs={"interceptor": True})
    inventory = Inventory("crew.py", "crew:crew", ".", "module", endpoints=(MODEL,), llms=(model,))

    (step,) = net_proxy.plan(inventory, Options(llm="own"), [])

    assert [proxy_choice(client, "https://api.example/").proxy for client in step.args["clients"]] == [None]


@pytest.mark.parametrize("probe", [net_dns, net_tcp, net_proxy, net_tls])
def test_ids_are_unique_and_nothing_is_paid_for(probe):
    found = [*planned(probe, *EVERYTHING)[0].values()]

    assert len({step.id for step in found}) == len(found)
    assert {step.llm_calls for step in found} == {0}


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("api.example", "https"),
        ("api.example:443", "https"),
        ("api.example:8443", "https"),
        ("api.example:9200", "http"),
        ("[::1]:5000", "http"),
        ("::1", "https"),
        ("https://api.example:9200", "https"),
        ("http://api.example:443", "http"),
    ],
)
def test_the_port_says_whether_tls_is_to_be_expected(text, scheme):
    assert without_crew._with_scheme(text).startswith(f"{scheme}://")


def test_hands_nobody_asked_to_shake_are_named_as_not_shaken():
    said = Endpoint("host:a.example:80", "http", "a.example", 80, "host", ("x",), source="http://a.example")
    bare = Endpoint("host:b.example:9200", "http", "b.example", 9200, "host", ("x",), source="b.example:9200")

    steps, skips = planned(net_tls, said, bare)

    assert (steps, list(skips)) == ({}, [bare.subject])
    assert "https://b.example:9200" in skips[bare.subject]
