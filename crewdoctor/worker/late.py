"""Do something to a module once it has been imported, whether that was before or will be later.

A meta path finder that looks at a name in a dict and, for the few names asked for, lets the regular finders find the
module and runs the hook right after its body has run. The loader is the module's own: `inspect`, `linecache` and
`importlib.resources` see nothing of us.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Hook = Callable[[ModuleType], None]
_HOOKS = "_crewdoctor_hooks"


class _Late(MetaPathFinder):
    """Finds nothing itself."""

    def __init__(self) -> None:
        self.wanted: dict[str, list[Hook]] = {}
        self._finding: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the regular spec with its loader's `exec_module` extended once; None for names nobody asked for."""
        if fullname not in self.wanted or fullname in self._finding:
            return None
        self._finding.add(fullname)
        try:
            spec = found_by_others(self, fullname, path, target)
        finally:
            self._finding.discard(fullname)
        if spec is not None and spec.loader is not None:
            self._extend(spec.loader, fullname)
        return spec

    def _extend(self, loader: Any, fullname: str) -> None:
        if isinstance(loader, type):
            return  # BuiltinImporter, FrozenImporter: shared by all modules
        original = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            vars(loader).pop("exec_module", None)
            original(module)
            for hook in self.wanted.pop(fullname, ()):
                hook(module)

        try:
            loader.exec_module = exec_module
        except AttributeError:
            return


class _UnderWay(ModuleSpec):
    """The spec of a module whose body runs already: the import system says on it when that is over."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "_initializing" and not value:
            hooks = self.__dict__.pop(_HOOKS, ())
            self.__class__ = ModuleSpec  # type: ignore[assignment]
            module = sys.modules.get(self.name)
            for hook in hooks if module is not None else ():
                hook(module)


_late = _Late()


def when_imported(name: str, hook: Hook) -> None:
    """Run `hook(module)` now when `name` is loaded, else right after it has been. `hook` must not raise."""
    module = sys.modules.get(name)
    if module is not None:
        spec: Any = getattr(module, "__spec__", None)
        if not getattr(spec, "_initializing", False):
            hook(module)
            return
        if type(spec) in {ModuleSpec, _UnderWay}:
            spec.__class__ = _UnderWay
            spec.__dict__.setdefault(_HOOKS, []).append(hook)
            return
    _late.wanted.setdefault(name, []).append(hook)
    if _late not in sys.meta_path:
        sys.meta_path.insert(0, _late)


def finder() -> MetaPathFinder:
    """Return the finder of this process, for an import that is under way already."""
    return _late


def found_by_others(
    own: MetaPathFinder, fullname: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    """Ask every other finder for the spec."""
    for each in list(sys.meta_path):
        find = getattr(each, "find_spec", None)
        if each is own or find is None:
            continue
        spec: ModuleSpec | None = find(fullname, path, target)
        if spec is not None:
            return spec
    return None
