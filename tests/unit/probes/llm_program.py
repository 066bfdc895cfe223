"""Run by test_llm_crewai.py in a process of its own: llm.crewai and ladder on a real crew, their frames on stderr."""

import os
import sys
import tempfile
import time

base_url, mode = sys.argv[1:]
os.environ.update(
    CREWAI_DISABLE_TELEMETRY="true",
    CREWAI_TRACING_ENABLED="false",
    CREWAI_DISABLE_VERSION_CHECK="true",
    CREWAI_STORAGE_DIR=tempfile.mkdtemp(),
)

from crewai import LLM, Agent, Crew, Task  # noqa: E402

from crewdoctor.model.layer import Layer  # noqa: E402
from crewdoctor.model.plan import Step  # noqa: E402
from crewdoctor.probes import ladder, llm_crewai  # noqa: E402
from crewdoctor.worker.loaded import LoadedCrew  # noqa: E402
from crewdoctor.worker.parts import parts_of  # noqa: E402
from crewdoctor.worker.recorder import Recorder  # noqa: E402

elsewhere = "http://127.0.0.1:9/v1" if mode == "embedded" else base_url
llm = LLM(model="gpt-4o", base_url=elsewhere, api_key="sk-planted-secret", max_tokens=700)
analyst = Agent(role="analyst", goal="know", backstory="b", llm=llm)
crew = Crew(agents=[analyst], tasks=[Task(description="Study {topic}", expected_output="a report", agent=analyst)])
loaded = LoadedCrew(parts_of(crew, {}), {"topic": "tea"})
embedded = {"embedded_base_url": base_url} if mode == "embedded" else {}
subject = "agent:analyst/llm"
steps = [
    (llm_crewai, {"calls": 2, "chars": 2000, "agents": ["agent:analyst"]}),
    (ladder, {"rounds": 5}),
]
for number, (probe, args) in enumerate(steps, 1):
    recorder = Recorder()
    recorder.load = lambda: loaded
    recorder.arm(
        os.dup(2),
        step=probe.PROBE.id,
        number=number,
        zero=time.monotonic(),
        seconds=30,
        layer=Layer.LLM,
        subject=subject,
    )
    probe.run(
        Step(f"{probe.PROBE.id}@x", probe.PROBE.id, Layer.LLM, subject, "loaded", 30.0, {**args, **embedded}), recorder
    )
    recorder.fact("max_tokens_after", loaded.llm(subject).max_tokens)
    recorder.disarm()
os._exit(0)
