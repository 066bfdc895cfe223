"""The fallback where forking is not safe: one process serves steps one after the other, while each ends cleanly."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from crewdoctor.wire.channel import Channel
from crewdoctor.wire.descent import LINUX, adopt_orphans, children, end_tree
from crewdoctor.worker.stepping import CrewHolder, Order, perform


def serve(channel: Channel, holder: CrewHolder) -> None:
    """Serve until the supervisor hangs up, or a step left something behind: the supervisor then starts another."""
    adopt_orphans()
    home = Path.cwd()
    threads = threading.active_count()
    while (received := channel.receive()) is not None:
        order = Order.read(*received)
        if order.zygote >= 0:
            os.close(order.zygote)
        channel.send({"r": "forked", "number": order.number, "pid": os.getpid()})
        perform(order, holder)
        strays = end_tree(os.getpid(), spare_root=True) if LINUX and children(os.getpid()) else 0
        spent = bool(order.step.args.get("redirected"))
        clean = not strays and not spent and threading.active_count() <= threads
        channel.send({"r": "exited", "number": order.number, "status": 0, "strays": strays, "again": clean})
        if not clean:
            return
        with suppress(OSError):
            os.chdir(home)
