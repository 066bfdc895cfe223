"""Loads each project given on stdin in a fork of one process that imported crewai once; JSON lines on stdout.

Not collected by pytest: `loading_cases/projects.py` starts it.
"""

import json
import os
import sys
import tempfile
import threading
import traceback

sys.path.insert(0, sys.argv[1])
os.environ.update(CREWAI_DISABLE_TELEMETRY="true", CREWAI_TRACING_ENABLED="false")

import crewai
import crewai.llms.providers.openai.completion
import crewai_core.lock_store

from crewdoctor.model.layer import Layer
from crewdoctor.model.probe import CannotProbe
from crewdoctor.wire.codec import encode
from crewdoctor.worker.inspector import inspect
from crewdoctor.worker.recorder import Recorder


def load(case: dict) -> dict:
    os.environ.update(case.get("environment", {}))
    crewai_core.lock_store._REDIS_URL = os.environ.get("REDIS_URL")  # as if it had been set before crewai was imported
    sys.modules.update(dict.fromkeys(case.get("without", ())))
    frames = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process; a pipe would fill up
    recorder = Recorder()
    recorder.arm(
        os.dup(frames.fileno()),
        step="inspect@target",
        number=1,
        zero=0.0,
        seconds=case.get("seconds", 60),
        layer=Layer.SETTINGS,
    )
    answer: dict = {}
    try:
        inventory, loaded = inspect(case["args"], recorder)
    except CannotProbe as failure:
        answer["refused"] = str(failure)
    else:
        recorder.fact("inventory", encode(inventory))
        answer |= {
            "inputs": loaded.inputs,
            "live": {llm.subject: type(loaded.llm(llm.subject)).__name__ for llm in inventory.llms},
            "raw": {
                llm.subject: sorted(loaded.raw_call_arguments(llm.subject)["client"])
                for llm in inventory.llms
                if llm.known and llm.usable_key
            },
            "kickoff": crewai.Crew.kickoff.__module__ + "." + crewai.Crew.kickoff.__qualname__,
            "init": crewai.Agent.__init__.__qualname__,
            "threads": [repr(each) for each in threading.enumerate()],
        }
    recorder.disarm()
    frames.seek(0)
    lines = [json.loads(line) for line in frames]
    answer["facts"] = facts = {line["name"]: line["value"] for line in lines if line["k"] == "fact"}
    answer["failures"] = [line["value"] for line in lines if line.get("name") == "load_failure"]
    answer["inventory"] = facts.pop("inventory", None)
    answer["spans"] = [line["name"] for line in lines if line["k"] == "open"]
    return answer


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        case = json.loads(line)
        out.flush()
        if os.fork() == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            sys.stdin = open(0)  # noqa: SIM115
            try:
                answer = load(case)
            except BaseException:
                answer = {"crash": traceback.format_exc()}
            out.write(json.dumps({"name": case["name"], **answer}) + "\n")
            out.flush()
            os._exit(0)
        os.wait()


main()
