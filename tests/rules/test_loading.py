import pytest

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Step
from crewdoctor.model.recording import Header, Recording
from crewdoctor.model.result import Status, StepResult
from crewdoctor.rules.cd902_target_does_not_load import target_does_not_load


def fix_of(names, **options):
    step = Step("inspect@crew", "inspect", Layer.SETTINGS, "crew", "crew", 60.0)
    told = {"kind": "no_such_name", "sentence": "the target has no `crw`", "way_out": "it has `crew`", "usage": True}
    result = StepResult(step, Status.FAILED, 0.0, 1.0, facts={"load_failure": {**told, "names": names}})
    recording = Recording(Header(options=Options(**options)), results=(result,))
    (finding,) = target_does_not_load.function(Evidence(recording))
    return finding.fix


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ({"target": "crew.py:crw"}, "crewdoctor diagnose crew.py:crew"),
        ({"target": "crew.py"}, "crewdoctor diagnose crew.py:crew"),
        ({"target": "shop.crew:crw", "scope": "preflight"}, "crewdoctor preflight shop.crew:crew"),
        ({"target": "crew.py:crw", "scope": "tool", "tool": "look up"}, "crewdoctor probe-tool crew.py:crew 'look up'"),
        ({"target": "my crew.py:crw"}, "crewdoctor diagnose 'my crew.py:crew'"),
    ],
)
def test_a_wrong_name_gets_the_same_command_with_a_right_one(options, command):
    assert fix_of(["crew"], **options).code == command


def test_several_names_are_several_commands_and_none_is_the_way_out():
    assert fix_of(["a", "b"], target="crew.py").code.splitlines() == [
        "crewdoctor diagnose crew.py:a",
        "crewdoctor diagnose crew.py:b",
    ]
    assert (fix_of([], target="crew.py").title, fix_of([], target="crew.py").code) == ("it has `crew`", "")
