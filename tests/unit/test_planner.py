"""How long a step may take, of what is left."""

from types import SimpleNamespace

import pytest

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Step
from crewdoctor.model.probe import Probe
from crewdoctor.planner import Budget, plan


def deadline(probe, stage, seconds):
    step = Step(f"{probe}@x", probe, Layer.LLM, "x", "loaded", 24.0)
    module = SimpleNamespace(PROBE=Probe(probe, Layer.LLM, "?", stage), plan=lambda *_: iter([step]))
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
