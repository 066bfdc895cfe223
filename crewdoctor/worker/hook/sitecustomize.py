"""Python imports this as it starts, where this folder is on PYTHONPATH: `crewdoctor hook-path` prints the folder.

Without CREWDOCTOR_RECORD it only makes way for a `sitecustomize` further down the path. With it, crewdoctor's recorder
starts when something is first imported that can wait for anybody; what never gets there pays for one small finder.
"""  # noqa: INP001 - the folder must hold this file alone

import os
import sys

_FIRST = frozenset(
    {"asyncio", "concurrent", "crewai", "multiprocessing", "platform", "socket", "sqlite3", "ssl", "subprocess"}
)
"""Whatever waits for somebody else imports one of these before it does. `platform` needs `subprocess` half-way through
its own import, and the recorder needs `platform`."""


class _Waiting:
    """A finder that finds nothing: at the first of these names it starts the recorder, and is gone."""

    def __init__(self, began):
        self.began = began

    def find_spec(self, name, path=None, target=None):
        if name not in _FIRST or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        held = _start(self.began)
        module = sys.modules.get(name)
        if module is not None:  # the recorder needed it too: it must not be loaded twice
            return type(sys.__spec__)(name, _Loaded(module))
        return held.find_spec(name, path, target) if held is not None else None


class _Loaded:
    """Hands out a module that is there already."""

    def __init__(self, module):
        self.module, self.spec = module, module.__spec__

    def create_module(self, _spec):
        return self.module

    def exec_module(self, module):
        module.__spec__ = self.spec


def _start(began):
    """Lend this interpreter the package, and start; the program runs on whatever happens here."""
    try:
        import importlib.util

        package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        if "crewdoctor" not in sys.modules:
            spec = importlib.util.spec_from_file_location(
                "crewdoctor", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
            )
            module = importlib.util.module_from_spec(spec)
            sys.modules["crewdoctor"] = module
            spec.loader.exec_module(module)
        from crewdoctor.worker.recorded import start

        return start(began)
    except Exception as error:
        if os.environ.get("CREWDOCTOR_TRACEBACK"):
            raise
        sys.stderr.write("crewdoctor: not recorded (%s: %s)\n" % (type(error).__name__, error))
        return None


def _chain():
    """Import the `sitecustomize` this one stands in front of, as Python would have."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    ours = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401 - another one
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        if ours is not None:
            sys.modules.setdefault("sitecustomize", ours)


if os.environ.get("CREWDOCTOR_RECORD") and sys.version_info >= (3, 10):
    import time

    sys.meta_path.insert(0, _Waiting(time.monotonic()))
_chain()
