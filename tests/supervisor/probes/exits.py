import os
import sys


def run(step, bench):
    bench.event("before")
    sys.stderr.write("token=abcdefgh12345678 cannot go on\n")
    os._exit(7)
