"""How long a step may take, of what is left."""

from types import SimpleNamespace

import pytest

from crewdoctor.llm.samples import FIRST_SLICE, FIRST_SLICE_BEFORE_RETRIES
from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Step
from crewdoctor.model.probe import Probe
from crewdoctor.planner import Budget, plan
from crewdoctor.probes import llm_sdk
from crewdoctor.rules.cd208_llm_does_not_answer import PATIENCE


def test_a_models_step_may_take_longer_than_silence_needs_to_show():
    assert llm_sdk.PROBE.shortest * min(FIRST_SLICE, FIRST_SLICE_BEFORE_RETRIES) > PATIENCE


def deadline(probe, stage, seconds):
    step = Step(f"{probe}@x", probe, Layer.LLM, "x", "loaded", 24.0)
    module = SimpleNamespace(
        PROBE=Probe(probe, Layer.LLM, "?", stage, shortest=18.0 if probe == "llm.sdk" else 3.0),
        plan=lambda *_: iter([step]),
    )
    crew = Inventory("crew.py", "crew", "/p", "module")
    return plan(crew, Options(), (), stage=stage, budget=Budget(seconds, 20), modules=[module]).steps[0].deadline


@pytest.mark.parametrize(
    ("probe", "stage", "left", "expected"),
    [
        ("llm.sdk", 1, 80.0, 20.0),
        ("llm.sdk", 1, 45.0, 18.0),  # a slow start leaves a model time enough to tell silence from slowness
        ("tool.isolated", 1, 45.0, 11.25),
        ("tool.isolated", 1, 8.0, 3.0),
        ("crew.kickoff", 2, 20.0, 20.0),
    ],
)
def test_a_ground_step_has_its_share_and_no_less_than_it_needs(probe, stage, left, expected):
    assert deadline(probe, stage, left) == expected
