"""Started as `PYTHON .../crewdoctor/worker/bootstrap.py CHANNEL LEASH` in the interpreter that holds the crew.

Lends that interpreter exactly one package, `crewdoctor`, from its folder, without touching its search path: nothing of
crewdoctor's own environment may shadow the user's. Standard library only, here and in everything it lends.
"""

import importlib.util
import sys
from pathlib import Path


def lend(name: str, folder: Path) -> None:
    """Register the package `name` from `folder`."""
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def main() -> None:
    """Lend, then keep."""
    if sys.version_info < (3, 10):  # noqa: UP036 - the user's interpreter, not ours
        sys.exit("crewdoctor needs Python 3.10 or newer in the crew's environment, found " + sys.version.split()[0])
    here = Path(__file__).resolve().parent
    # The script's own folder comes first on the path: its `serial.py` would shadow the user's pyserial.
    sys.path[:1] = [entry for entry in sys.path[:1] if Path(entry).resolve() != here]
    channel, leash = int(sys.argv[1]), int(sys.argv[2])
    del sys.argv[1:]
    lend("crewdoctor", here.parent)
    from crewdoctor.worker.keeper import keep

    keep(channel, leash)


if __name__ == "__main__":
    main()
