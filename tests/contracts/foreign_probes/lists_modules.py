"""Tells what its process has loaded, from where, and which libraries of crewdoctor's own environment it can see."""

import importlib.util
import sys


def run(step, bench):
    for name in step.args["also"]:
        importlib.import_module(name)
    # Pairs: a member called `token`, as a module of Python is, would be masked.
    files = [[name, getattr(module, "__file__", None)] for name, module in list(sys.modules.items())]
    bench.fact("modules", files)
    bench.fact("seen", [name for name in step.args["foreign"] if importlib.util.find_spec(name) is not None])
    bench.fact("path", list(sys.path))
    bench.fact("python", [sys.prefix, sys.base_prefix, list(sys.version_info[:2])])
