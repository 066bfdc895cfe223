"""The step's end of the pipe to the stage: starts its process, passes orders on, keeps what it heard."""

from __future__ import annotations

import _thread
import json
import os
import queue
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from crewdoctor.model.probe import CannotProbe

_PARENT = str(Path(__file__).resolve().parents[2])
_PROGRAM = (
    f"import sys; sys.path.append({_PARENT!r}); from crewdoctor.endpoint.stage import main; main(int(sys.argv[1]))"
)
_WITHIN = 15.0


class Prompter:
    """A stage and what it says. Its process dies when this one does: the pipe between them ends."""

    def __init__(self) -> None:
        self._pid = 0
        self.heard: list[dict[str, Any]] = []
        self.listener: Callable[[dict[str, Any]], None] = lambda _heard: None
        """Told of each thing heard, in the thread that reads."""
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._asking = _thread.allocate_lock()

    def start(self) -> str:
        """Start the process; its authority's certificate, PEM. Raises CannotProbe."""
        ours, theirs = socket.socketpair()
        theirs.set_inheritable(True)
        python = [sys.executable, "-I", "-S"]
        if sys.pycache_prefix:
            python += ["-X", f"pycache_prefix={sys.pycache_prefix}"]
        arguments = [*python, "-c", _PROGRAM, str(theirs.fileno())]
        self._pid = os.posix_spawn(sys.executable, arguments, os.environ, file_actions=self._silenced())
        theirs.close()
        self._ours = ours
        # Not `threading`'s: whoever counts threads must count the same as without us.
        _thread.start_new_thread(self._read, ())
        return str(self.ask("trust")["pem"])

    def end(self) -> None:
        """End its process: nothing of ours is left behind."""
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Give an order and wait until it is carried out. Raises CannotProbe when it is not."""
        with self._asking:
            self._ours.sendall((json.dumps({"do": do, **more}) + "\n").encode())
            try:
                answer = self._answers.get(timeout=_WITHIN)
            except queue.Empty:
                raise CannotProbe("the experiment's server does not answer") from None
        if "error" in answer:
            raise CannotProbe(f"the experiment's server cannot {do}: {answer['error']}")
        return answer

    def _read(self) -> None:
        with self._ours.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                said = json.loads(line)
                if said["what"] == "answer":
                    self._answers.put(said)
                else:
                    self.heard.append(said)
                    self.listener(said)
        self._answers.put({"error": "it has ended"})

    @staticmethod
    def _silenced() -> list[tuple[Any, ...]]:
        return [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1)]
