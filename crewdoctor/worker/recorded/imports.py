"""The first clock: what is imported, and how long that takes. Outermost imports, and long ones within them.

Packages of the standard library are left out; so is what a package imports of itself.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from crewdoctor.model.layer import Layer
from crewdoctor.worker.late import found_by_others
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.source_place import is_users

WORTH = 0.3
"""Seconds from which an import within another one is told as well (ours)."""


class _Clock(MetaPathFinder):
    """Finds nothing itself."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.here = threading.local()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the regular spec, its loader's `exec_module` timed once, for a module worth a span."""
        top, _, rest = fullname.partition(".")
        finding = self.here.__dict__.setdefault("finding", set())
        if not self.recorder.armed or fullname in finding or top in sys.stdlib_module_names or top == "crewdoctor":
            return None
        finding.add(fullname)
        try:
            spec = found_by_others(self, fullname, path, target)
        finally:
            finding.discard(fullname)
        if spec is not None and spec.loader is not None and (not rest or is_users(spec.origin or "")):
            self._time(spec.loader, fullname)
        return spec

    def _time(self, loader: Any, name: str) -> None:
        if isinstance(loader, type):
            return
        extended = vars(loader).get("exec_module") if hasattr(loader, "__dict__") else None
        original = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            vars(loader).pop("exec_module", None)
            if extended is not None:
                loader.exec_module = extended
            self._run(original, module, name)

        with suppress(AttributeError):
            loader.exec_module = exec_module

    def _run(self, original: Callable[[ModuleType], None], module: ModuleType, name: str) -> None:
        depth = self.here.__dict__.get("depth", 0)
        self.here.depth = depth + 1
        began = self.recorder.now()
        try:
            if depth:
                original(module)
            else:
                with self.recorder.span(
                    "python.import", subject=f"module:{name}", layer=Layer.ENVIRONMENT, module=name
                ):
                    original(module)
        finally:
            self.here.depth = depth
        if depth and self.recorder.now() - began >= WORTH:
            span = self.recorder.open(
                "python.import", subject=f"module:{name}", layer=Layer.ENVIRONMENT, start=began, module=name
            )
            self.recorder.close(span)


def install(recorder: Recorder) -> None:
    """Time imports from now on."""
    sys.meta_path.insert(0, _Clock(recorder))
