"""Celery: `task_time_limit` of the app, `time_limit` of the task that starts the crew.

Source: celery 5.5 documentation, "Configuration and defaults" and "Workers: time limits": seconds; the hard limit kills
the worker's process, the soft one raises within it, which a blocked call in C may not notice.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from crewdoctor.scan.module import Module, dotted, read_module
from crewdoctor.scan.platforms.limit import Around, Outer, seconds
from crewdoctor.scan.values import UNRESOLVED, Scope, value_of

PATTERNS = (
    *("celeryconfig.py", "*/celeryconfig.py", "celery.py", "*/celery.py", "celery_app.py", "*/celery_app.py"),
    *("settings.py", "*/settings.py", "tasks.py", "*/tasks.py", "worker.py", "*/worker.py", "app.py", "*/app.py"),
    *("src/*/tasks.py", "src/*/celery.py", "src/*/celery_app.py", "src/*/worker.py"),
)
_OF_APP = frozenset({"task_time_limit", "CELERY_TASK_TIME_LIMIT", "CELERYD_TASK_TIME_LIMIT"})
_OF_TASK = "time_limit"
_DECORATORS = ("task", "shared_task")


def limits(around: Around) -> Iterator[Outer]:
    """Assignments, keywords of `conf.update(...)` and of tasks' decorators."""
    module = read_module(str(around.file))
    if not _knows_celery(module, around):
        return
    scope = Scope(module, None)
    for node, name, whom in _written(module):
        held = value_of(node, scope)
        timeout = seconds("?" if held is UNRESOLVED or held is None else held)
        yield Outer("celery", name, timeout, around.at(node.lineno), whom=whom)


def _knows_celery(module: Module, around: Around) -> bool:
    imported = any(meant.split(".")[0] == "celery" for meant in module.imports.values())
    return (
        imported or around.file.stem == "celeryconfig" or bool(_OF_APP & module.assigned.keys() - {"task_time_limit"})
    )


def _written(module: Module) -> Iterator[tuple[ast.expr, str, str]]:
    for name in sorted(_OF_APP & module.assigned.keys()):
        yield module.assigned[name], name, ""
    tree = ast.parse("\n".join(module.lines))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            if node.targets[0].attr in _OF_APP and dotted(node.targets[0]).endswith(f"conf.{node.targets[0].attr}"):
                yield node.value, node.targets[0].attr, ""
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("conf.update"):
            yield from ((each.value, str(each.arg), "") for each in node.keywords if each.arg in _OF_APP)
    for function in module.all_functions:
        for each in function.decorator_list:
            if isinstance(each, ast.Call) and dotted(each.func).rpartition(".")[2] in _DECORATORS:
                yield from ((held.value, _OF_TASK, function.name) for held in each.keywords if held.arg == _OF_TASK)
