"""Python imports this as it starts, where this folder is on PYTHONPATH: `crewdoctor hook-path` prints the folder.

Without CREWDOCTOR_RECORD it only makes way for a `sitecustomize` further down the path. With it, crewdoctor's recorder
starts when something is first imported that can wait for anybody; what never gets there pays for one small finder.
"""
# ruff: noqa: INP001, PTH100, PTH118, PTH120 - it stands alone, and every start of Python pays for what it imports

import os
import sys

_FIRST = frozenset(
    {"asyncio", "concurrent", "crewai", "multiprocessing", "platform", "socket", "sqlite3", "ssl", "subprocess"}
)
"""Whatever waits for somebody else imports one of these before it does. `platform` needs `subprocess` half-way through
its own import, and the recorder needs `platform`."""
_HERE = os.path.dirname(os.path.abspath(__file__))


class _Waiting:
    """A finder that finds nothing: at the first of these names it starts the recorder, and is gone."""

    def __init__(self, began: float) -> None:
        self.began, self.waiting = began, True

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        if name not in _FIRST or not self.waiting:
            return None
        self.waiting = False
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        finder = _start(self.began)
        module = sys.modules.get(name)
        if module is not None:  # the recorder needed it too: it must not be loaded twice
            return type(sys.__spec__)(name, _Loaded(module))  # type: ignore[arg-type]
        return finder.find_spec(name, path, target) if finder is not None else None  # type: ignore[attr-defined]


class _Loaded:
    """Hands out a module that is there already."""

    def __init__(self, module: object) -> None:
        self.module, self.spec = module, module.__spec__  # type: ignore[attr-defined]

    def create_module(self, _spec: object) -> object:
        return self.module

    def exec_module(self, module: object) -> None:
        module.__spec__ = self.spec  # type: ignore[attr-defined]


def _start(began: float) -> object:
    """Lend this interpreter the package, and start; the program runs on whatever happens here."""
    try:
        if "crewdoctor" not in sys.modules:
            from importlib import util

            package = os.path.dirname(os.path.dirname(_HERE))
            spec = util.spec_from_file_location(
                "crewdoctor", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
            )
            sys.modules["crewdoctor"] = util.module_from_spec(spec)  # type: ignore[arg-type]
            spec.loader.exec_module(sys.modules["crewdoctor"])  # type: ignore[union-attr]
        from crewdoctor.worker.recorded import start

        return start(began)
    except Exception as error:
        if os.environ.get("CREWDOCTOR_TRACEBACK"):
            raise
        sys.stderr.write(f"crewdoctor: not recorded ({type(error).__name__}: {error})\n")
        return None


def _chain() -> None:
    """Import the `sitecustomize` this one stands in front of, as Python would have."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _HERE]
    ours = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # type: ignore[import-not-found] # noqa: F401 - another one
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        if ours is not None:
            sys.modules.setdefault("sitecustomize", ours)


if os.environ.get("CREWDOCTOR_RECORD") and sys.version_info >= (3, 10):
    import time

    sys.meta_path.insert(0, _Waiting(time.monotonic()))  # type: ignore[arg-type]
_chain()
