"""`crewdoctor settings` on a project with a platform around it: what ends the crew first, and where limits stand."""

import json

import pytest

pytestmark = [pytest.mark.crewai, pytest.mark.timeout(240)]

CREW = """import os

from crewai import LLM, Agent, Crew, Task

LIMITS = {
    "timeout": float(os.getenv("HOUSE_WAIT", "50")),
    "max_retries": 1,
}
model = LLM(model="openai/gpt-4o", base_url="http://127.0.0.1:9/v1", api_key="sk-local", **LIMITS)
worker = Agent(role="Clerk", goal="Answer", backstory="You keep books.", llm=model, max_retry_limit=0)
crew = Crew(agents=[worker], tasks=[Task(description="Sum it up.", expected_output="One line.", agent=worker)])
"""
GUNICORN = """import sys
workers = 2
timeout = 30
sys.exit("nobody may run this")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("house")
    (folder / "crew.py").write_text(CREW)
    (folder / "gunicorn.conf.py").write_text(GUNICORN)
    return folder


def report(crewdoctor, project, *more, **environment):
    code, out, err = crewdoctor("settings", "crew.py", "--format", "json", *more, folder=project, **environment)
    assert code == 0, err
    return json.loads(out)


def test_the_limit_around_the_crew_ends_it_and_the_inner_one_that_outlasts_it_is_told(crewdoctor, project):
    held = report(crewdoctor, project)

    (outer,) = held["ledger"]
    assert (outer["subject"], outer["children"][0]["name"]) == ("outer:gunicorn", "crew")
    assert held["longest_hang"].startswith(
        "the longest this crew can hang: 30.0 s, then gunicorn (gunicorn.conf.py:3) ends it; left alone 100.5 s"
    )
    (finding,) = held["findings"]
    assert (finding["code"], finding["severity"]) == ("CD403", "warning")
    assert finding["location"]["file"].endswith("gunicorn.conf.py")


def test_what_is_named_outranks_it_and_a_variable_is_told_by_its_name(crewdoctor, project):
    held = report(crewdoctor, project, "--outer", "45s", HOUSE_WAIT="20")

    assert held["ledger"][0]["subject"] == "outer"
    read = next(each for each in held["settings"] if each["name"] == "timeout.read")
    assert (read["value"], read["provenance"]["where"]) == ({"timeout": 20.0}, "env HOUSE_WAIT")
    retries = next(each for each in held["settings"] if each["name"] == "max_retries")
    assert retries["provenance"]["where"] == "crew.py:7"
    assert held["findings"] == []
