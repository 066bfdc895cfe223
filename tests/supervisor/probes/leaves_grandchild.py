"""A daemon as daemons are made: fork, setsid, fork. `hold`: stay until killed, else end well."""

import subprocess
import sys
import time

DAEMON = """
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""


def run(step, bench):
    subprocess.run([sys.executable, "-c", DAEMON, step.args["pid_file"]], check=True)
    while step.args.get("hold"):
        time.sleep(0.1)
