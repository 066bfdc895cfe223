"""What the crews of a recorded program consist of: an inventory, made beside the program the first time each kicks off.

It is read from the live objects in a thread of its own: the kickoff does not wait for it, the end of the process does,
for a moment.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from crewdoctor.wire.codec import encode
from crewdoctor.wire.redact import learn_environment
from crewdoctor.worker.construction import Built, Constructions, watch
from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorded import surroundings
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.source_place import is_users
from crewdoctor.worker.taps.tap import Tap
from crewdoctor.worker.unseen import Unseen

MOST = 16
"""Crews of one process that are read: a program that builds one per request builds the same one again."""
_KEPT = 4096
_PATIENCE = 3.0
"""Seconds the end of the process waits for an inventory under way."""
_reading = threading.Lock()
_idle = threading.Event()
_idle.set()


class _Recent(OrderedDict[int, Built]):
    """The latest constructions; a program that builds crews for ever must not be held on to."""

    def __setitem__(self, key: int, value: Built) -> None:
        super().__setitem__(key, value)
        while len(self) > _KEPT:
            self.popitem(last=False)


class _Crews:
    """The crews of this process, each by what it looks like."""

    def __init__(self, recorder: Recorder, begins: Callable[[Any], None] | None) -> None:
        self.recorder, self.begins = recorder, begins
        self.constructions = Constructions(built=_Recent(), crews=deque(maxlen=0))  # type: ignore[arg-type]
        self.known: set[str] = set()
        self.loaded: Any = None

    def kicked_off(self, crew: Any = None, inputs: Any = None, *_: Any, **__: Any) -> None:
        """A kickoff begins."""
        if self.begins is not None:
            self.begins(crew)
        likeness = _likeness(crew)
        if likeness in self.known or len(self.known) >= MOST:
            return
        self.known.add(likeness)
        _idle.clear()
        Unseen(lambda: self._read(crew, dict(inputs) if isinstance(inputs, dict) else {})).start()

    def _read(self, crew: Any, inputs: dict[str, Any]) -> None:
        with _reading:
            try:
                self._tell(crew, inputs)
            except Exception as error:
                self.recorder.own(f"the crew could not be read: {type(error).__name__}: {error}")
            finally:
                _idle.set()

    def _tell(self, crew: Any, inputs: dict[str, Any]) -> None:
        from crewdoctor.worker.found import Found
        from crewdoctor.worker.inspector import inventory_of
        from crewdoctor.worker.loader import Target
        from crewdoctor.worker.project_paths import lines_of
        from crewdoctor.worker.secrets_held import learn_modules

        learn_environment(os.environ)
        learn_modules()
        surroundings.tell(self.recorder)
        root = Path.cwd()
        found = Found(crew, "recorded", "", inputs)
        target = Target(found, _place(root), self.constructions, lines_of(root / ".env"))
        inventory, self.loaded = inventory_of(target, inputs, " ".join(_shown()))
        self.recorder.inventory(encode(inventory))


def install(recorder: Recorder, begins: Callable[[Any], None] | None = None) -> None:
    """Note constructions and kickoffs from the moment crewai is there; `begins` is told each crew that kicks off."""
    tap = Tap("crews", recorder)
    crews = _Crews(recorder, begins)
    recorder.load = lambda: crews.loaded

    def crew(module: ModuleType) -> None:
        for name in ("kickoff", "akickoff"):
            tap.around(module.Crew, name, crews.kicked_off)

    def whole(_module: ModuleType) -> None:
        watch(crews.constructions)

    when_imported("crewai.crew", tap.safely(crew))
    when_imported("crewai", tap.safely(whole))


def forked() -> None:
    """In a child: whoever was reading is not here."""
    global _reading  # noqa: PLW0603 - a lock somebody else held when this process was made
    _reading = threading.Lock()
    _idle.set()


def finish() -> None:
    """Wait for what is being read."""
    _idle.wait(_PATIENCE)


def _likeness(crew: Any) -> str:
    agents = [(str(getattr(each, "role", "")), len(getattr(each, "tools", None) or ())) for each in crew.agents]
    return repr((getattr(crew, "name", None), agents, len(crew.tasks)))


def _shown() -> list[str]:
    """The command as it was given, without its interpreter; what was found on the path by its name."""
    given = sys.orig_argv[1:] or sys.argv
    return [Path(each).name if Path(each).is_absolute() and Path(each).exists() else each for each in given]


def _place(root: Path) -> Any:
    from crewdoctor.worker.project_paths import Place

    file = Path(getattr(sys.modules.get("__main__"), "__file__", None) or root / "program.py").absolute()
    if not is_users(str(file)):
        file = root / file.name
    return Place(file, file.stem, False, "", root)
