import pytest

from crewdoctor.model.finding import Finding, Severity
from crewdoctor.model.inventory import Inventory, LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.recording import Header, Recording
from crewdoctor.report.assemble import assemble
from crewdoctor.report.naming import readable, shared_models
from crewdoctor.report.terminal import render

USERS = ("agent:writer/llm", "agent:editor/llm")


def report_of(*users: str):
    llm = LlmEntry("agent:writer/llm", "gpt-4o", "openai", known=True, users=users)
    finding = Finding(
        "CD201", "low", Severity.ERROR, Layer.LLM, llm.subject, "agent:writer/llm may wait 3 s", ("1.1",), observed=True
    )
    inventory = Inventory(target="crew.py", crew="crew", project_root="/p", shape="module", llms=(llm,))
    return assemble(Recording(Header(), inventory=inventory), (finding,), ())


def test_a_shared_model_is_named_for_what_it_is_and_its_subject_stays():
    report = report_of(*USERS)

    assert report.findings[0].message == "gpt-4o (shared by writer and editor) may wait 3 s"
    assert report.findings[0].subject == "agent:writer/llm"
    assert "layer llm  gpt-4o (shared by writer and editor)" in render(report, width=120)
    assert "agent:writer/llm" not in render(report, width=120)


@pytest.mark.parametrize("users", [(), ("agent:writer/llm",)])
def test_a_model_of_one_agent_is_that_agents(users):
    assert report_of(*users).findings[0].message == "agent:writer/llm may wait 3 s"


@pytest.mark.parametrize(
    ("users", "name"),
    [
        (("agent:a/llm", "agent:a/function_calling_llm"), "gpt-4o (of a)"),
        (("agent:a/llm", "crew/manager_llm"), "gpt-4o (shared by a and the crew's manager)"),
        (tuple(f"agent:{each}/llm" for each in "abcde"), "gpt-4o (shared by a, b, c and 2 more)"),
    ],
)
def test_users_are_told_by_name(users, name):
    assert shared_models(report_of(*users)) == {"agent:writer/llm": name}


def test_only_the_subject_itself_is_replaced():
    names = {"agent:a/llm": "m"}

    assert readable("agent:a/llm, agent:a/llm2, xagent:a/llm and agent:a/llm.", names) == (
        "m, agent:a/llm2, xagent:a/llm and m."
    )
