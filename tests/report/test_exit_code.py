import pytest

from crewdoctor.model.finding import Finding, Severity
from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.model.recording import Header, Recording
from crewdoctor.model.report import Report
from crewdoctor.model.result import Status, StepResult
from crewdoctor.report.exit_code import exit_code, meaning, unanswered


@pytest.mark.parametrize(("usage", "expected"), [(True, 2), (False, 3)])
def test_a_target_named_wrongly_is_usage_and_one_that_does_not_load_is_not(usage, expected):
    step = Step("inspect@crew", "inspect", Layer.SETTINGS, "crew", "crew", 60.0)
    failure = {"kind": "several_crews", "sentence": "s", "way_out": "w", "usage": usage, "location": None}
    result = StepResult(step, Status.FAILED, 0.0, 1.0, facts={"load_failure": failure})
    assert exit_code(Recording(Header(), results=(result,)), ()) == expected


@pytest.mark.parametrize(
    ("crew", "kind", "told"),
    [
        ("crew", "", "the crew asks for inputs that nobody gave"),
        ("", "no_such_name", "the target has nothing of that name"),
        ("", "missing_argument", "what builds the crew asks for arguments that nobody gave"),
        ("", "missing_file", "the target cannot be read"),
        ("", "unheard_of", "the target was not named as it should be"),
    ],
)
def test_exit_code_2_means_one_thing_at_a_time(crew, kind, told):
    finding = Finding("CD902", "s", Severity.ERROR, Layer.SETTINGS, "x", "m", ("step:inspect",), attrs={"kind": kind})

    assert meaning(Report("", "", "", "x", crew, "", 2, 1.0, (finding,))) == told


@pytest.mark.parametrize(("hung", "answered", "expected"), [(True, False, 3), (True, True, 0), (False, True, 0)])
def test_a_model_that_answered_nothing_and_no_rule_says_why_is_not_healthy(hung, answered, expected):
    step = Step("llm.sdk@agent:a/llm", "llm.sdk", Layer.LLM, "agent:a/llm", "loaded", 20.0)
    result = StepResult(step, Status.OK, 0.0, 7.0, facts={"hung": hung, "answered": answered})
    recording = Recording(Header(), inventory=Inventory("crew.py", "crew", "/p", "module"), results=(result,))

    assert exit_code(recording, ()) == expected
    assert bool(unanswered(recording)) is (expected == 3)
