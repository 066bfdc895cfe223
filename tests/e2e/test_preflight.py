"""preflight, settings and probe-tool on a real crew: what runs, what does not, and what the exit code says."""

import json
import textwrap

import pytest

pytestmark = [pytest.mark.crewai, pytest.mark.timeout(240)]

CREW = '''
import os
import requests
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

@tool("read rows")
def read_rows(subject: str) -> str:
    """Read rows."""
    open({mark!r}, "a").write("called ")
    return requests.get("http://127.0.0.1:{upstream}/rows", timeout=5).text

llm = LLM(model="openai/gpt-4o", base_url="http://127.0.0.1:{model}/v1", api_key="sk-none"{extra})
worker = Agent(role="Clerk", goal="g", backstory="b", tools=[read_rows], llm=llm, max_execution_time=45)
report = Task(description="Read the rows{about}.", expected_output="A line.", agent=worker)
crew = Crew(agents=[worker], tasks=[report])
'''


@pytest.fixture
def project(tmp_path, serve):
    """Callable: ports and text to the folder of a crew."""

    def write(model=None, extra="", about="", upstream=None):
        text = CREW.format(
            mark=str(tmp_path / "called"),
            upstream=upstream or serve("upstream"),
            model=model or serve("provider", first_token=0.1),
            extra=extra,
            about=about,
        )
        (tmp_path / "crew.py").write_text(textwrap.dedent(text), encoding="utf-8")
        return tmp_path

    return write


def told(crewdoctor, folder, *arguments):
    code, out, err = crewdoctor(*arguments, "--format", "json", folder=folder)
    assert "Traceback" not in out + err, err
    return code, json.loads(out)


def probes(report):
    """Probe questions by status."""
    held = {}
    for question in report["questions"]:
        held.setdefault(question["status"], set()).add(question["question"])
    return held


def test_a_ready_crew_is_called_once_and_not_run(crewdoctor, project):
    folder = project()
    code, report = told(crewdoctor, folder, "preflight", "crew.py")
    assert (code, report["findings"], report["scope"]) == (0, [], "preflight")
    (call,) = report["model_calls"]
    assert (call["status"], call["attempts"]) == (200, 1)
    assert not (folder / "called").exists()
    assert "the whole crew runs to its end" in probes(report)["skipped"]
    assert report["simulated"] == []
    names = {(setting["subject"], setting["name"]) for setting in report["settings"]}
    assert {("agent:Clerk/llm", "timeout.read"), ("agent:Clerk", "max_execution_time")} <= names


def test_without_llm_no_model_is_called(crewdoctor, project):
    """The model's port is closed to calls: whatever asked it would be turned away."""
    folder = project()
    code, report = told(crewdoctor, folder, "preflight", "crew.py", "--no-llm")
    assert (code, report["model_calls"]) == (0, [])
    assert "the model answers in time" in probes(report)["skipped"]


def test_with_crew_it_runs_on_the_embedded_model(crewdoctor, project):
    folder = project()
    code, report = told(crewdoctor, folder, "preflight", "crew.py", "--with-crew")
    assert (code, report["findings"]) == (0, [])
    assert report["model_calls"][0]["status"] == 200
    assert (folder / "called").exists()
    assert report["simulated"] == ["crew:crew"]
    simulated = {question["question"]: question["simulated"] for question in report["questions"]}
    assert simulated["the whole crew runs to its end"]
    assert not simulated["the model answers in time"]


@pytest.mark.parametrize(
    ("arguments", "made", "code", "first"),
    [
        ((), {"model": 1}, 1, "CD105"),
        (("--fail-on", "never"), {"model": 1}, 0, "CD105"),
        ((), {"about": " of {{kind}}"}, 2, "CD903"),
        (("--inputs", '{"kind": "grain"}'), {"about": " of {{kind}}"}, 0, ""),
    ],
    ids=["a dead model", "never fails", "inputs missing", "inputs given"],
)
def test_exit_codes(crewdoctor, project, arguments, made, code, first):
    folder = project(**made)
    got, report = told(crewdoctor, folder, "preflight", "crew.py", *arguments)
    assert (got, report["exit_code"]) == (code, code)
    assert (report["findings"] or [{"code": ""}])[0]["code"] == first


def test_what_does_not_load_is_exit_3(crewdoctor, tmp_path):
    (tmp_path / "crew.py").write_text("import a_package_nobody_has\n", encoding="utf-8")
    code, report = told(crewdoctor, tmp_path, "preflight", "crew.py")
    assert (code, report["findings"][0]["code"]) == (3, "CD902")


def test_settings_say_who_says_so_and_send_nothing(crewdoctor, project):
    folder = project(model=1, upstream=1, extra=", timeout=10")
    code, report = told(crewdoctor, folder, "settings", "crew.py")
    assert (code, report["findings"]) == (0, [])
    held = {(each["subject"], each["name"]): each for each in report["settings"]}
    assert held["agent:Clerk/llm", "timeout.read"]["value"] == {"timeout": 10.0}
    assert held["agent:Clerk/llm", "timeout.read"]["provenance"]["where"].startswith("crew.py:")
    assert held["agent:Clerk/llm", "max_retries"]["provenance"]["where"].startswith("default of openai")
    assert {question["layer"] for question in report["questions"]} == {"settings"}
    assert report["ledger"]


def test_one_tool_alone(crewdoctor, project):
    folder = project(model=1)
    code, report = told(crewdoctor, folder, "probe-tool", "crew.py", "read rows", "--arguments", '{"subject": "tea"}')
    assert (code, report["findings"]) == (0, [])
    assert (folder / "called").read_text().split()
    assert {question["layer"] for question in report["questions"]} == {"settings", "network", "tool"}
    code, out, err = crewdoctor("probe-tool", "-q", "crew.py", "write rows", folder=folder)
    assert (code, out) == (2, "")
    assert err.strip() == "crewdoctor: the crew has no tool `write rows`; it has `read rows`"


def test_without_a_crew_the_model_the_environment_names_is_diagnosed(crewdoctor, serve, tmp_path):
    """crewai makes that model itself, and gives it a keyword of its own that never reaches the SDK."""
    named = {"OPENAI_API_KEY": "sk-none-0123456789", "MODEL": "gpt-4o-mini"}
    named["OPENAI_BASE_URL"] = f"http://127.0.0.1:{serve('provider', first_token=0.1)}/v1"
    code, out, err = crewdoctor("diagnose", "--format", "json", folder=tmp_path, **named)
    report = json.loads(out)
    assert (code, report["findings"]) == (0, []), report["findings"]
    assert "no crew here" in err
    assert report["environment"]["models"][0]["model"] == "gpt-4o-mini"
    assert {question["layer"] for question in report["questions"]} >= {"network", "llm", "crew"}
