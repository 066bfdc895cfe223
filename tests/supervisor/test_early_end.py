"""A step that is ended before its deadline tells of every thread it holds, not only of the first one."""

import os
import sys
import time
from pathlib import Path

from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Step
from crewdoctor.supervisor import Supervisor
from crewdoctor.wire.recording import RecordingWriter, header, read_recording

THREADS = 12


def test_the_last_look_is_whole(tmp_path):
    path = tmp_path / "recording.jsonl"
    writer = RecordingWriter(path)
    writer.write(header(Options()))
    with Supervisor(
        recording=writer,
        zero=time.monotonic(),
        crew_python=sys.executable,
        project_root=str(tmp_path),
        environment=dict(os.environ),
        probes=str(Path(__file__).with_name("probes")),
    ) as supervisor:
        # The main thread began to wait 2.5 s after the others: it alone has been told of in the last 1.4 s.
        supervisor.stalled = lambda _, live: "stalled" if supervisor._register.now - live.started > 7.0 else ""
        step = Step("many_locked@here", "many_locked", Layer.TOOL, "here", "own", 30.0, {"threads": THREADS})
        (result,) = supervisor.run([step])
    writer.close()
    stacks = read_recording(path).stacks
    last = {stack.thread for stack in stacks if stack.at >= stacks[-1].at - 0.5}

    assert result.reason.startswith("stalled")
    assert {f"locked {number}" for number in range(THREADS)} <= last
