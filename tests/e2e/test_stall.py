"""`probe-tool --stall`: one tool, its real service healthy, and what a silent one would do to it."""

import json

import pytest

pytestmark = [pytest.mark.crewai, pytest.mark.timeout(180)]

CREW = '''
import urllib.request

from crewai import Agent, Crew, Task
from crewai.tools import tool


@tool("order")
def order(query: str) -> str:
    """Place an order."""
    asked = urllib.request.Request("{url}/orders", method="POST", data=query.encode())
    return urllib.request.urlopen(asked{limit}).read().decode()


agent = Agent(role="Clerk", goal="g", backstory="b", tools=[order], llm="openai/gpt-4.1-mini")
crew = Crew(agents=[agent], tasks=[Task(description="d", expected_output="e", agent=agent)])
'''


def told(crewdoctor, serve, folder, limit):
    url = f"http://127.0.0.1:{serve('upstream', delay=0.05)}"
    (folder / "crew.py").write_text(CREW.format(url=url, limit=limit), encoding="utf-8")
    asked = ("probe-tool", "crew.py", "order", "--stall", "--recording", folder / "r.jsonl")
    code, out, err = crewdoctor(*asked, "--format", "json", folder=folder, seconds=150)
    assert "Traceback" not in out + err, err
    report = json.loads(out)
    return code, report, {each["phase"]: each for each in report["stalls"]}


def test_a_tool_that_writes_is_tried_all_the_same(crewdoctor, serve, tmp_path):
    code, report, stalls = told(crewdoctor, serve, tmp_path, "")

    assert {phase: each["outcome"] for phase, each in stalls.items()} == {
        "lookup": "not met",
        "connect": "limited",
        "tls": "not met",
        "request": "for ever",
        "body": "for ever",
    }
    assert stalls["request"]["requests"] == 1
    assert (stalls["request"]["location"]["line"], code) == (12, 0)
    shown = [each for each in report["findings"] if each["code"] == "CD301"]
    assert shown
    assert "silent after the request and in the middle of the answer" in shown[0]["message"]

    again = crewdoctor("analyse", tmp_path / "r.jsonl", "--format", "json")[1]
    assert json.loads(again)["stalls"] == report["stalls"]
    screen = crewdoctor("analyse", tmp_path / "r.jsonl", "--color", "never")[1]
    assert "for ever" in screen.partition("Stall test")[2]


def test_a_timeout_at_the_call_is_when_it_gives_up(crewdoctor, serve, tmp_path):
    _, report, stalls = told(crewdoctor, serve, tmp_path, ", timeout=1")

    for phase in ("connect", "request", "body"):
        assert stalls[phase]["outcome"] == "gave up"
        assert 0.9 < stalls[phase]["seconds"] < 5
    assert "TimeoutError" in stalls["request"]["seen"] or "timed out" in stalls["request"]["seen"]
    assert [each["code"] for each in (*report["findings"], *report["notes"]) if each["code"] == "CD301"] == []
