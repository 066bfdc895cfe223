"""What crewdoctor sees of a running crew. One file per tap, each with `install(recorder)`.

Installed once per process, before the user's code imports anything; nothing is recorded until a step arms the
recorder. Where a client is written in C, or a child process connects, the kernel alone is asked (`kernel.py`): with
whom, and how many bytes. What each client shows is measured: `make matrix` writes docs/clients.md.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crewdoctor.worker.recorder import Recorder


def install_all(recorder: Recorder) -> None:
    """Install every tap; one that cannot be installed leaves a line of ours and is done without (law 10)."""
    for entry in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name):
        try:
            install = getattr(import_module(f"{__name__}.{entry.name}"), "install", None)
            if install is not None:
                install(recorder)
        except Exception as error:  # noqa: PERF203 - one tap's failure must not cost the others
            recorder.own(f"tap {entry.name} was not installed: {error!r}")
