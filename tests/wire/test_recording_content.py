"""A recording names what was given to the crew and holds none of it, unless asked to."""

import pytest

from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Plan, Step
from crewdoctor.model.result import Status, StepResult
from crewdoctor.wire.codec import encode
from crewdoctor.wire.recording import RecordingWriter, header, read_recording

GIVEN = {"topic": "northern heron"}
ARGUMENTS = {"search": {"query": "velvet harbour"}}


@pytest.mark.parametrize("content", [False, True])
def test_inputs_and_arguments_are_named_and_not_kept(content, tmp_path):
    path = tmp_path / "r.jsonl"
    loading = Step("inspect@c", "inspect", Layer.SETTINGS, "crew", "crew", 9.0, {"inputs": GIVEN, "target": "c"})
    calling = Step("t@t", "tool.isolated", Layer.TOOL, "tool:t", "loaded", 9.0, {"arguments": ARGUMENTS["search"]})
    writer = RecordingWriter(path)
    writer.write(header(Options(inputs=GIVEN, tool_arguments=ARGUMENTS, include_content=content)))
    writer.write({"k": "plan", "stage": 1, "plan": encode(Plan((calling,), ()))})
    writer.write({"k": "result", "result": encode(StepResult(loading, Status.OK, 0.0, 1.0))})
    writer.close()

    held = read_recording(path)

    assert set(held.header.options.inputs) == set(GIVEN)
    assert set(held.header.options.tool_arguments["search"]) == {"query"}
    assert held.results[0].step.args["target"] == "c"
    assert set(held.plans[0].steps[0].args["arguments"]) == {"query"}
    assert ("heron" in path.read_text()) is content
    assert ("harbour" in path.read_text()) is content
    assert (calling.args["arguments"], loading.args["inputs"]) == (ARGUMENTS["search"], GIVEN)
