"""gunicorn.conf.py: `timeout` kills a sync worker, and the crew within it.

Source: gunicorn 23 documentation, "Settings": default 30 s; 0 is no limit; a worker of another class keeps its beat
while a request goes on, and is not killed for it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from crewdoctor.model.setting import Seconds
from crewdoctor.scan.module import read_module
from crewdoctor.scan.platforms.command_line import killed_by_timeout
from crewdoctor.scan.platforms.limit import Around, Outer, seconds
from crewdoctor.scan.values import UNRESOLVED, Scope, value_of

PATTERNS = ("gunicorn.conf.py", "gunicorn_conf.py", "gunicorn_config.py", "*/gunicorn.conf.py", "*/gunicorn_conf.py")
DEFAULT = 30.0


def limits(around: Around) -> Iterator[Outer]:
    """At most one."""
    module = read_module(str(around.file))
    scope = Scope(module, None)

    def held(name: str) -> object:
        node = module.assigned.get(name)
        value = value_of(node, scope) if node is not None else ""
        return "?" if value is UNRESOLVED else value

    if not module.lines or not killed_by_timeout(str(held("worker_class")), str(held("threads"))):
        return
    node: ast.expr | None = module.assigned.get("timeout")
    if node is None:
        yield Outer("gunicorn", "timeout", Seconds(DEFAULT), around.at(1), written=False)
        return
    yield Outer("gunicorn", "timeout", seconds(held("timeout")), around.at(node.lineno))
