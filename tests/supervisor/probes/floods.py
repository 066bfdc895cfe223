"""3 MiB to each stream: nobody may block on a pipe."""

import sys


def run(step, bench):
    line = "x" * 1023 + "\n"
    for _ in range(3 * 1024):
        sys.stderr.write(line)
        sys.stdout.write(line)
    bench.fact("written", 3 * 1024)
