"""Forks as user code may: one child ends, one comes back up the stack, one stays."""

import os
import time


def run(step, bench):
    with bench.span("tool.call", subject="tool:forks"):
        for kind in ("ends", "returns", "stays"):
            pid = os.fork()
            if pid == 0:
                bench.event(f"from the child that {kind}")
                if kind == "ends":
                    os._exit(0)
                if kind == "returns":
                    return
                time.sleep(600)
            if kind != "stays":
                os.waitpid(pid, 0)
    bench.fact("forked", 3)
