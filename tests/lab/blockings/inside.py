"""Runs every way of blocking as a tool of one crew, with the real supervisor and probe, and writes the recording.

`python inside.py FOLDER SECONDS [KIND...]`, behind `fixtures/lab/namespace.py`: servers and a nameserver are there.
"""

import importlib.util
import json
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[2])]

from kinds import KINDS, source  # noqa: E402 - the path is set first
from services import deaf  # noqa: E402

from crewdoctor.model.layer import Layer  # noqa: E402
from crewdoctor.model.options import Options  # noqa: E402
from crewdoctor.model.plan import Step  # noqa: E402
from crewdoctor.supervisor import Supervisor  # noqa: E402
from crewdoctor.wire.recording import RecordingWriter, header  # noqa: E402

MUTE, STALLS = 7001, 7002
CREW = """
from crewai import LLM, Agent, Crew, Task
{imports}
model = LLM(model="openai/gpt-4o", base_url="http://127.0.0.1:7003/v1", api_key="sk-none")
clerk = Agent(role="Clerk", goal="g", backstory="b", tools=[{tools}], llm=model, max_execution_time=240)
crew = Crew(agents=[clerk], tasks=[Task(description="d", expected_output="e", agent=clerk)])
"""


def places(port: int) -> dict[str, str]:
    return {
        "silent": f"http://127.0.0.1:{MUTE}/rows",
        "silent_tls": f"https://127.0.0.1:{MUTE}/rows",
        "silent_port": str(MUTE),
        "silent_peer": f"127.0.0.1:{MUTE}",
        "stalls": f"http://127.0.0.1:{STALLS}/rows",
        "stalls_peer": f"127.0.0.1:{STALLS}",
        "deaf": str(port),
    }


def main(folder: Path, seconds: float, wanted: list[str]) -> None:
    listener, fillers = deaf()
    known = places(listener.getsockname()[1])
    kinds = [
        kind
        for kind in KINDS
        if (not wanted or kind.name in wanted) and (not kind.needs or importlib.util.find_spec(kind.needs))
    ]
    for kind in kinds:
        (folder / f"{kind.name}_tool.py").write_text(source(kind, known)[0])
    imports = "".join(f"from {kind.name}_tool import {kind.name} as {kind.name}_\n" for kind in kinds)
    (folder / "crew.py").write_text(CREW.format(imports=imports, tools=", ".join(f"{kind.name}_" for kind in kinds)))
    (folder / "places.json").write_text(json.dumps(known))
    writer = RecordingWriter(folder / "recording.jsonl")
    writer.write(header(Options(target="crew.py", llm="embedded")))
    zero = time.monotonic()
    with Supervisor(
        recording=writer,
        zero=zero,
        crew_python=sys.executable,
        project_root=str(folder),
        environment=dict(os.environ),
    ) as supervisor:
        held = supervisor.inspect({"target": "crew.py", "project_root": str(folder), "inputs": {}, "llm": "embedded"})
        assert "inventory" in held.facts, held
        writer.write({"k": "inventory", "inventory": held.facts["inventory"]})
        args = {"arguments": {}, "recorded": [], "places": [], "allowed": True, "patience": 99.0, "of_lane": []}
        steps = [
            Step(
                f"tool.isolated@tool:{kind.name}",
                "tool.isolated",
                Layer.TOOL,
                f"tool:{kind.name}",
                "loaded",
                seconds,
                args,
            )
            for kind in kinds
        ]
        supervisor.run(steps)
    writer.write({"k": "last", "at": time.monotonic() - zero, "interrupted": ""})
    writer.close()
    listener.close()
    for filler in fillers:
        filler.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
