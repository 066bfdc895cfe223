"""Runs in a namespace of its own: makes one network, probes it with the real probes and recorder, writes the recording.

`unshare -rnm python inside.py SCENARIO RECORDING`
"""

import fcntl
import importlib
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from crewdoctor.model.inventory import Inventory  # noqa: E402 - the path is set first
from crewdoctor.model.options import Options  # noqa: E402
from crewdoctor.model.plan import Plan, Step  # noqa: E402
from crewdoctor.model.probe import CannotProbe  # noqa: E402
from crewdoctor.model.result import Status, StepResult  # noqa: E402
from crewdoctor.net.clients import STORES  # noqa: E402
from crewdoctor.wire.codec import decode, encode  # noqa: E402
from crewdoctor.wire.recording import RecordingWriter, header, read_recording  # noqa: E402
from crewdoctor.worker.recorder import Recorder  # noqa: E402

PROBES = ("net_dns", "net_tcp", "net_proxy", "net_tls")


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        flags = struct.unpack("16sh", fcntl.ioctl(plain, 0x8913, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(plain, 0x8914, struct.pack("16sh", b"lo", flags | 1))


def own_files(folder):
    for name, text in {
        "resolv.conf": "",
        "hosts": "127.0.0.1 localhost\n",
        "nsswitch.conf": "hosts: files dns\n",
    }.items():
        path = Path(folder, name)
        path.write_text(text, encoding="ascii")
        subprocess.run(["mount", "--bind", str(path), f"/etc/{name}"], check=True)


def forked(writer, step, number, zero):
    child = os.fork()
    if child:
        return child
    try:
        run(Recorder(), writer, step, number, zero)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def run(recorder, writer, step, number, zero):
    probe = importlib.import_module(f"crewdoctor.probes.{step.probe.replace('.', '_')}")
    out = os.open(writer.path, os.O_WRONLY | os.O_APPEND)
    start = time.monotonic() - zero
    recorder.arm(
        out, step=step.id, number=number, zero=zero, seconds=step.deadline, layer=step.layer, subject=step.subject
    )
    status, reason = Status.OK, ""
    try:
        probe.run(step, recorder)
    except CannotProbe as error:
        status, reason = Status.FAILED, str(error)
    recorder.end(status.value, reason)
    recorder.disarm()
    facts = {}
    for record in map(json.loads, writer.path.read_text(encoding="ascii").splitlines()):
        if record["k"] == "fact" and record["step"] == step.id:
            facts[record["name"]] = record["value"]
    result = StepResult(step, status, start, time.monotonic() - zero, reason, None, facts)
    writer.write({"k": "result", "result": encode(result)})


def main(scenario, target):
    loopback_up()
    with tempfile.TemporaryDirectory() as folder:
        own_files(folder)
        scene = getattr(importlib.import_module("scenarios"), scenario)()
        for name in list(os.environ):
            if name.lower().endswith("_proxy") or name in STORES:
                del os.environ[name]
        os.environ.update(scene.environment)
        known = {"target": "crew.py", "crew": "crew:crew", "project_root": ".", "shape": "module"}
        inventory = decode(Inventory, {**known, "endpoints": scene.endpoints, "settings": scene.settings})
        zero = time.monotonic()
        writer = RecordingWriter(target)
        writer.write(header(Options(target="crew.py", llm="own")))
        writer.write({"k": "inventory", "inventory": encode(inventory)})
        modules = [importlib.import_module(f"crewdoctor.probes.{name}") for name in PROBES]
        planned = [each for module in modules for each in module.plan(inventory, Options(llm="own"), [])]
        steps = tuple(each for each in planned if isinstance(each, Step))
        skips = tuple(each for each in planned if not isinstance(each, Step))
        writer.write({"k": "plan", "stage": 1, "plan": encode(Plan(steps, skips))})
        # One process per step, as the supervisor has it: they wait side by side, and write whole lines to one file.
        for child in [forked(writer, step, number, zero) for number, step in enumerate(steps, 1)]:
            assert os.waitpid(child, 0)[1] == 0
        writer.write({"k": "last", "at": time.monotonic() - zero, "interrupted": ""})
        writer.close()
    read_recording(target)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
    os._exit(0)
