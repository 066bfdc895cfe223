"""What a worker process does: get ready once, then take orders from the supervisor until it hangs up."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

from crewdoctor.wire.channel import Channel
from crewdoctor.worker import bus_loop, serial, zygote
from crewdoctor.worker.bootstrap import lend
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.stepping import CrewHolder
from crewdoctor.worker.warming import warm_crew, warm_own, warm_sdk


def serve(channel: Channel) -> None:
    """Warm up as the first message says, report, serve. Returns when the supervisor has hung up."""
    greeting = channel.receive()
    if greeting is None:
        return
    hello: dict[str, Any] = greeting[0]
    sys.argv[:] = [sys.argv[0]]
    if hello["probes"]:
        lend("lent_probes", Path(hello["probes"]))
    recorder = Recorder()
    recorder.zero = hello["zero"]
    warm_theirs = warm_crew if hello["crewai"] else warm_sdk
    warmed = warm_theirs(recorder) if hello["worker"] == "crew" else warm_own()
    holder = CrewHolder(recorder, hello["project_root"], probes="lent_probes" if hello["probes"] else "")
    why = "asked to start each process anew"
    if hello["fork"]:
        bus_loop.park()
        why = zygote.unsafe(zygote.Footprint())
    ready = {"r": "ready", "pid": os.getpid(), "fork": not why, "why": why, "own": recorder.own_lines}
    recorder.own_lines = []
    channel.send({**ready, **warmed})
    if why:
        bus_loop.resume()
        serial.serve(channel, holder)
        return
    gc.collect()
    gc.freeze()  # a collection in a child would touch, and so copy, every page of crewai
    zygote.Zygote(channel, holder).serve()
