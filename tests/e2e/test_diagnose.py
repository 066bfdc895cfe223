"""Whole diagnoses of drawn crews: the seed is fixed here, fresh ones are the scoreboard's."""

import importlib.util
import sys
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures"
sys.path.insert(0, str(FIXTURES))

spec = importlib.util.spec_from_file_location("scoreboard", FIXTURES / "scoreboard.py")
scoreboard = importlib.util.module_from_spec(spec)
spec.loader.exec_module(scoreboard)

SEED = 41
pytestmark = [pytest.mark.crewai, pytest.mark.timeout(240)]


def diagnose(build, template, sick, folder):
    case = build(scoreboard.Draw(SEED, folder, sick, template))
    try:
        report, seconds, code = scoreboard.diagnose(case, 200)
    finally:
        case.close()
    assert scoreboard.right(report, case.expected, code), (
        f"first: {scoreboard.first(report)}, wanted: {scoreboard.wanted(case.expected)}, exit {code}"
    )
    return report, seconds, code


@pytest.mark.parametrize("template", ["tool_hangs", "llm_timeout_low", "deadline_and_retries"])
def test_a_sick_crew_is_told_its_root_cause_first(template, tmp_path):
    report, _, code = diagnose(scoreboard.template(template).build, template, True, tmp_path)

    assert code == 1
    head = report["findings"][0]
    assert head["severity"] == "error"
    assert head["evidence"]
    assert (head["measured"] is None) == (head["limit"] is None)


@pytest.mark.parametrize("template", ["tool_hangs", "minimal"])
def test_a_healthy_crew_is_met_with_silence(template, tmp_path):
    report, _, code = diagnose(scoreboard.template(template).build, template, False, tmp_path)

    assert (report["findings"], code) == ([], 0)


def test_of_two_faults_the_dearer_comes_first(tmp_path):
    pair = scoreboard.PAIRS[0]
    diagnose(pair, pair.__name__, True, tmp_path)
