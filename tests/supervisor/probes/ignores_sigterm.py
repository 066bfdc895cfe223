import signal
import time


def run(step, bench):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    with bench.span("tool.call", subject="tool:deaf"):
        time.sleep(600)
