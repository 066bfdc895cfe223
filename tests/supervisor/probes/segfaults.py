import os
import signal


def run(step, bench):
    os.kill(os.getpid(), signal.SIGSEGV)
