import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.crewai

TOOLS = '''
import os
import httpx
import requests
from crewai.tools import BaseTool, tool
from pydantic import BaseModel, Field
from helper import fetch

BASE = os.getenv("SVC_URL", "http://svc.internal:8080")
TIMEOUT = 7
session = requests.Session()


class Arguments(BaseModel):
    subject: str = Field(examples=["a"])


class Lookup(BaseTool):
    name: str = "lookup"
    description: str = "d"
    args_schema: type[BaseModel] = Arguments
    host: str = "https://attribute.example:8443/x"

    def _run(self, subject: str) -> str:
        return self._ask(subject)

    def _ask(self, subject: str) -> str:
        return session.get(f"{BASE}/{subject}").text


@tool("bounded")
def bounded(q: str) -> str:
    """Bounded."""
    return httpx.get("http://svc.internal:8080/b", timeout=TIMEOUT).text


@tool("far")
def far(q: str) -> str:
    """Far."""
    return fetch(q)


@tool("pure")
def pure(q: str) -> str:
    """Pure."""
    return q.upper()


@tool("bounded")
def twin(q: str) -> str:
    """Another of the same name."""
    return q
'''
HELPER = """
import urllib.request

def fetch(q):
    return urllib.request.urlopen("http://far.example/" + q, None, 12).read()
"""
CREW = """
import os
from crewai import LLM, Agent, Crew, Process, Task
from crewai.llms.base_llm import BaseLLM
from crewai_tools import SerperDevTool
from tools import Lookup, bounded, far, pure, twin


class Mine(BaseLLM):
    def call(self, messages, *args, **kwargs):
        return "ok"


lookup = Lookup()
SHARED = dict(base_url="https://models.example/v1", api_key="sk-planted-123456789")
plain = LLM(model="openai/gpt-4o")
tight = LLM(
    model="openai/gpt-4o-mini",
    timeout=30,
    max_retries=0,
    stream=True,
    **SHARED,
)
local = LLM(model="ollama/llama3", timeout=90)
a = Agent(role=" Same ", goal="g", backstory="b", llm=plain, tools=[lookup, bounded], max_rpm=None)
b = Agent(role="Same", goal="g", backstory="b", llm=tight, tools=[lookup, twin], max_execution_time=60, max_iter=9)
c = Agent(role="C", goal="g", backstory="b", llm=Mine(model="mine"), tools=[far, pure], mcps=["https://mcp.example:9443/sse"])
d = Agent(role="D", goal="g", backstory="b", llm=local, tools=[SerperDevTool()])
e = Agent(role="E", goal="g", backstory="b", llm="openai/gpt-4o")
tasks = [
    Task(name="first", description="d", expected_output="e", agent=a, guardrail="must be short"),
    Task(description="d", expected_output="e", agent=b, tools=[pure], async_execution=True),
    Task(description="d", expected_output="e", agent=c),
    Task(description="d", expected_output="e", agent=d),
    Task(description="d", expected_output="e", agent=e, human_input=True),
]
crew = Crew(
    agents=[a, b, c, d],
    tasks=tasks,
    process=Process.hierarchical,
    manager_llm="openai/gpt-4.1",
    planning=True,
    memory=True,
    max_rpm=12,
)
"""
KEYLESS = """
from crewai import LLM, Agent, Crew, Task
import part
a = Agent(role="A", goal="g", backstory="b", llm=LLM(model="openrouter/x/y"))
b = Agent(role="B", goal="g", backstory="b", llm=LLM(model="deepseek/deepseek-chat"))
crew = Crew(agents=[a, b], tasks=[Task(description="d", expected_output="e", agent=a)])
"""
TWO_KEYS = """
from crewai import LLM, Agent, Crew, Task

def model(key):
    return LLM(model="openai/gpt-4o", base_url="https://models.example/v1", api_key=key)

agents = [
    Agent(role=role, goal="g", backstory="b", llm=model(key))
    for role, key in (("A", "sk-planted-one-123456"), ("B", "sk-planted-two-123456"), ("C", "sk-planted-one-123456"))
]
crew = Crew(agents=agents, tasks=[Task(description="d", expected_output="e", agent=agents[0])])
"""
ENVIRONMENT = {
    "SERPER_API_KEY": "x",
    "HTTPS_PROXY": "http://user:proxy-password-9@proxy.corp:3128",
    "OPENAI_BASE_URL": "https://gateway.example:8443/v1",
}


@pytest.fixture(scope="module")
def answers(projects):
    files = {"crew.py": CREW, "tools.py": TOOLS, "helper.py": HELPER, ".env": "A=1\nSVC_URL=http://from-dotenv:8081\n"}
    projects.add("all", files, environment=ENVIRONMENT)
    projects.add("keyless", {"crew.py": KEYLESS, "part.py": ""})
    projects.add("two keys", {"crew.py": TWO_KEYS})
    return projects.load()


@pytest.fixture(scope="module")
def keyless(answers):
    assert "refused" not in answers["keyless"], answers["keyless"]["refused"]
    return answers["keyless"]["inventory"]


@pytest.fixture(scope="module")
def inventory(answers):
    assert "refused" not in answers["all"], answers["all"]["refused"]
    return answers["all"]["inventory"]


def setting(inventory, subject, name):
    found = [each for each in inventory["settings"] if each["subject"] == subject and each["name"] == name]
    assert len(found) == 1, (subject, name, found)
    return found[0]


def by_subject(entries):
    return {each["subject"]: each for each in entries}


def test_subjects_are_unique_and_agents_of_tasks_are_found(inventory):
    assert [each["subject"] for each in inventory["agents"]] == [
        "agent:Same",
        "agent:Same#2",
        "agent:C",
        "agent:D",
        "agent:E",
    ]
    assert [each["subject"] for each in inventory["tasks"]] == ["task:first", "task:2", "task:3", "task:4", "task:5"]
    assert by_subject(inventory["tasks"])["task:5"]["human_input"] is True


def test_a_shared_tool_is_one_entry_and_namesakes_are_two(inventory):
    tools = by_subject(inventory["tools"])
    assert tools["tool:lookup"]["owners"] == ["agent:Same", "agent:Same#2"]
    assert {"tool:bounded", "tool:bounded#2", "tool:pure"} < set(tools)
    assert tools["tool:pure"]["owners"] == ["agent:C", "task:2"]
    assert by_subject(inventory["agents"])["agent:Same#2"]["tools"] == ["tool:lookup", "tool:bounded#2", "tool:pure"]


def test_a_tool_is_located_at_the_users_own_function(inventory):
    lookup = by_subject(inventory["tools"])["tool:lookup"]
    assert lookup["location"]["source"] == "def _run(self, subject: str) -> str:"
    assert Path(lookup["location"]["file"]).name == "tools.py"
    assert lookup["schema"]["properties"]["subject"]["examples"] == ["a"]
    serper = next(each for each in inventory["tools"] if each["kind"].endswith("SerperDevTool"))
    assert "site-packages" in serper["location"]["file"]


@pytest.mark.parametrize(
    ("tool", "value", "origin", "source"),
    [
        ("lookup", "unlimited", "default", "session.get"),
        ("bounded", 7.0, "python", "timeout=TIMEOUT"),
        ("far", 12.0, "python", "None, 12"),
        ("pure", "unknown", "unknown", ""),
    ],
)
def test_the_limit_of_a_tool_is_read_from_its_source(inventory, tool, value, origin, source):
    found = setting(inventory, f"tool:{tool}", "timeout")
    assert found["value"] == {"timeout": value}
    assert found["provenance"]["origin"] == origin
    assert source in ((found["provenance"]["location"] or {}).get("source") or "")


def test_every_endpoint_is_found_with_its_clients_and_users(inventory):
    found = by_subject(inventory["endpoints"])
    assert found["host:from-dotenv:8081"]["used_by"] == ["tool:lookup"]
    assert found["host:from-dotenv:8081"]["clients"] == ["requests"]
    assert found["host:attribute.example:8443"]["used_by"] == ["tool:lookup"]
    assert found["host:svc.internal:8080"]["clients"] == ["httpx"]
    assert found["host:far.example:80"]["used_by"] == ["tool:far"]
    assert found["host:mcp.example:9443"]["kind"] == "mcp"
    assert found["host:models.example:443"]["kind"] == "llm"
    assert found["host:localhost:11434"]["kind"] == "llm"
    assert found["host:gateway.example:8443"]["used_by"][0] == "agent:Same/llm"
    assert found["proxy:proxy.corp:3128"]["source"] == "env HTTPS_PROXY"
    assert found["host:api.openai.com:443"]["kind"] == "memory"


def test_one_entry_per_configuration_of_a_model(inventory):
    llms = by_subject(inventory["llms"])
    assert {"agent:Same/llm", "agent:E/llm", "task:first/guardrail_llm"} <= set(llms["agent:Same/llm"]["users"])
    assert "agent:E/llm" not in llms
    assert by_subject(inventory["agents"])["agent:E"]["llm"] == "agent:Same/llm"
    assert llms["crew/manager_llm"]["model"] == "gpt-4.1"
    assert llms["crew/planning_llm"]["model"].startswith("gpt-")
    assert llms["agent:D/llm"]["provider"] == "openai-compatible"


def test_a_usable_key_is_told_from_none(inventory):
    llms = by_subject(inventory["llms"])
    assert llms["agent:Same/llm"]["usable_key"] is False
    assert llms["agent:Same#2/llm"]["usable_key"] is True
    assert llms["agent:D/llm"]["usable_key"] is True


def test_a_provider_that_insists_on_a_key_does_not_keep_the_crew_from_loading(keyless):
    assert keyless["environment"]["stand_in_keys"] == ["OPENROUTER_API_KEY", "DEEPSEEK_API_KEY"]
    assert [each["usable_key"] for each in keyless["llms"]] == [False, False]


def test_a_limit_a_library_hard_codes_is_no_setting_of_the_users(inventory):
    serper = next(each for each in inventory["tools"] if each["kind"].endswith("SerperDevTool"))
    found = setting(inventory, serper["subject"], "timeout")
    assert found["value"] == {"timeout": 10.0}
    assert found["provenance"]["origin"] == "default"
    assert found["provenance"]["where"] == "hard-coded in crewai_tools"


def test_a_client_without_key_still_has_its_effective_settings(inventory):
    assert setting(inventory, "agent:Same/llm", "timeout.read")["value"] == {"timeout": 600.0}
    assert setting(inventory, "agent:Same/llm", "timeout.connect")["value"] == {"timeout": 5.0}
    assert setting(inventory, "agent:Same/llm", "max_retries")["value"] == 2
    assert setting(inventory, "agent:Same/llm", "timeout.read")["provenance"]["where"] == "default of openai 2.54.0"
    assert setting(inventory, "agent:Same/llm", "base_url")["provenance"]["where"] == "env OPENAI_BASE_URL"


def test_a_written_timeout_is_traced_to_its_line(inventory):
    found = setting(inventory, "agent:Same#2/llm", "timeout.read")
    assert found["value"] == {"timeout": 30.0}
    assert found["provenance"]["location"]["source"] == "timeout=30,"
    assert found["provenance"]["where"] == f"crew.py:{found['provenance']['location']['line']}"
    assert setting(inventory, "agent:Same#2/llm", "max_retries")["provenance"]["location"]["source"] == "max_retries=0,"
    assert setting(inventory, "agent:Same#2/llm", "stream")["value"] is True
    assert setting(inventory, "agent:Same#2/llm", "base_url")["provenance"]["origin"] == "python"


def test_deadlines_retries_and_rates_are_listed(inventory):
    assert setting(inventory, "agent:Same", "max_execution_time")["value"] == {"timeout": "unlimited"}
    assert setting(inventory, "agent:Same#2", "max_execution_time")["value"] == {"timeout": 60.0}
    assert setting(inventory, "agent:Same#2", "max_iter")["provenance"]["origin"] == "python"
    assert setting(inventory, "task:2", "async_execution")["value"] is True
    assert setting(inventory, "task:first", "guardrail_max_retries")["value"] == 3
    assert setting(inventory, "crew:crew", "max_rpm")["provenance"]["origin"] == "python"
    assert inventory["process"] == "hierarchical"


def test_what_cannot_be_read_is_unknown_by_name(inventory):
    mine = by_subject(inventory["llms"])["agent:C/llm"]
    assert mine["known"] is False
    assert mine["provider"] == "Mine"
    assert setting(inventory, "agent:C/llm", "timeout.read")["value"] == {"timeout": "unknown"}
    reasons = {each["subject"]: each["reason"] for each in inventory["unexamined"]}
    assert "Mine" in reasons["agent:C/llm"]
    assert "mcp.example" in reasons["agent:C/mcp"]


def test_planted_secrets_stay_out(inventory):
    text = json.dumps(inventory)
    assert "sk-planted-123456789" not in text
    assert "proxy-password-9" not in text


def test_the_machine_is_described(inventory):
    assert inventory["environment"]["cpus"] >= 1
    assert inventory["environment"]["proxies"]["HTTPS_PROXY"] == "http://***@proxy.corp:3128"
    assert inventory["versions"]["crewai"] == "1.15.30"


def test_one_model_under_two_keys_is_two_models(answers):
    inventory = answers["two keys"]["inventory"]
    assert [each["users"] for each in inventory["llms"]] == [["agent:A/llm", "agent:C/llm"], ["agent:B/llm"]]
    assert "planted" not in json.dumps(inventory)


def test_a_models_endpoint_says_where_its_address_is_written(inventory, answers):
    found = {each["host"]: each for each in inventory["endpoints"] if each["kind"] == "llm"}
    assert found["gateway.example"]["source"] == "llm base_url (env OPENAI_BASE_URL)"
    assert found["models.example"]["source"] == "llm base_url"
    assert found["models.example"]["location"]["file"].endswith("crew.py")
