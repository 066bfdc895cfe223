import pytest

from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.model.recording import Header, Recording
from crewdoctor.model.result import Status, StepResult
from crewdoctor.report.exit_code import exit_code


@pytest.mark.parametrize(("usage", "expected"), [(True, 2), (False, 3)])
def test_a_target_named_wrongly_is_usage_and_one_that_does_not_load_is_not(usage, expected):
    step = Step("inspect@crew", "inspect", Layer.SETTINGS, "crew", "crew", 60.0)
    failure = {"kind": "several_crews", "sentence": "s", "way_out": "w", "usage": usage, "location": None}
    result = StepResult(step, Status.FAILED, 0.0, 1.0, facts={"load_failure": failure})
    assert exit_code(Recording(Header(), results=(result,)), ()) == expected
