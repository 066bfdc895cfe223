"""Many threads, each of them waiting for a lock nobody releases; the main one begins last."""

import threading
import time


def run(step, bench):
    lock = threading.Lock()
    lock.acquire()

    def wait():
        with lock:
            pass

    with bench.span("tool.call", subject="tool:search"):
        for number in range(step.args["threads"]):
            threading.Thread(target=wait, name=f"locked {number}", daemon=True).start()
        time.sleep(2.5)
        wait()
