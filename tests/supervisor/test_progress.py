"""What a watcher is told: from the moment a step is ordered, not from when its worker is ready."""

import os
import sys
import time
from pathlib import Path

from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Step
from crewdoctor.supervisor import Supervisor
from crewdoctor.supervisor import supervisor as module
from crewdoctor.wire.recording import RecordingWriter, header


def test_a_step_is_told_with_its_layer_while_its_worker_starts_while_it_runs_and_when_it_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_TURN", 0.01)
    told = []
    writer = RecordingWriter(tmp_path / "recording.jsonl")
    writer.write(header(Options()))
    with Supervisor(
        recording=writer,
        zero=time.monotonic(),
        crew_python=sys.executable,
        project_root=str(tmp_path),
        environment=dict(os.environ),
        progress=told.append,
        probes=str(Path(__file__).with_name("probes")),
    ) as supervisor:
        supervisor.run([Step("well@here", "well", Layer.TOOL, "here", "own", 20.0, announce="do it")])

    states = list(dict.fromkeys(each.state for each in told))
    assert states == ["starting", "running", "ok"]
    assert [each.going for each in told if each.state == "ok"] == [False]
    assert {each.layer for each in told} == {Layer.TOOL}
    assert told[0].waiting == "its worker starts"
