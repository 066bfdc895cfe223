import os
import time


def run(step, bench):
    os.closerange(3, 256)
    time.sleep(step.args.get("seconds", 0))
