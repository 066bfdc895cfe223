"""What the kernel tells of this process and its children."""

from __future__ import annotations

import subprocess
import sys
import time

from crewdoctor.worker.kernel_wait import children_cpu_seconds


def test_a_child_that_computes_is_seen_computing_and_one_that_sleeps_is_not():
    before = children_cpu_seconds()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        deadline = time.monotonic() + 20
        while children_cpu_seconds() - before < 0.2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        busy.kill()
    with subprocess.Popen(["sleep", "30"]) as idle:
        time.sleep(0.3)
        before = children_cpu_seconds()
        time.sleep(0.5)
        assert children_cpu_seconds() - before < 0.1
        idle.kill()
