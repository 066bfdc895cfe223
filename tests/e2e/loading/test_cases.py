"""Every case loads or fails with its exact reason and exit code; docs/loading.md is the table of that run."""

from pathlib import Path

import pytest
from loading_cases import CASES
from loading_cases.run import run
from loading_cases.table import render

pytestmark = [pytest.mark.crewai, pytest.mark.timeout(900)]
PAGE = Path(__file__).resolve().parents[3] / "docs" / "loading.md"
HIERARCHICAL = "Shapes, hierarchical, manager"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    return run(CASES, tmp_path_factory.mktemp("cases"))


@pytest.mark.parametrize("name", CASES)
def test_every_case_loads_or_says_exactly_why_not(outcomes, name):
    case, told = CASES[name], outcomes[name]
    assert told["exit"] == case.exit, told
    if case.shape:
        assert told.get("shape") == case.shape, told
        assert all(any(note in each for each in told["notes"]) for note in case.notes), told["notes"]
        assert not case.given or told["inputs"].items() >= case.given.items(), told
        assert told["kickoff"] == "crewai.crew.Crew.kickoff"
    else:
        assert told.get("kind") == case.kind, told
        assert case.sentence in told["sentence"], told
        assert case.way_out in told["way_out"], told
        assert "\n" not in told["sentence"] + told["way_out"]


def test_loading_leaves_a_process_that_can_be_forked(outcomes):
    threaded = {name for name, told in outcomes.items() if told.get("threads", 1) > 1}
    assert threaded == {"Obstacles, starts a thread"}


def test_only_what_is_not_looked_at_is_noted(outcomes):
    noted = {name for name, told in outcomes.items() if told.get("notes")}
    assert noted == {name for name, case in CASES.items() if case.notes}


def test_a_manager_is_part_of_the_crew(outcomes):
    assert "crew/manager_llm" in outcomes[f"{HIERARCHICAL} model"]["models"]
    assert outcomes[f"{HIERARCHICAL} agent"]["agents"] == ["agent:Worker", "agent:Boss"]


def test_a_task_that_waits_for_a_person_is_known(outcomes):
    assert outcomes["Shapes, human input"]["human"] == ["task:1"]


def test_the_hidden_lock_store_is_an_endpoint_before_it_blocks(outcomes):
    assert "host:locks.internal:6390" in outcomes["Obstacles, Redis lock store"]["endpoints"]


def test_the_page_is_the_table_of_this_run(outcomes):
    assert PAGE.read_text("utf-8") == render(outcomes), "run: python docs/generate_loading.py"
