"""The write guard: with invented arguments, or on an invented answer, nobody may change the world, only read it.

Decided per call at the wire, never from a tool's name. While `recorder.writes_blocked` is above zero, and the running
code belongs to a tool's call, or is the user's own within a task (a guardrail, a condition, a hook), these raise
BlockedWouldWrite and leave `blocked.would_write`: HTTP other than GET, HEAD and OPTIONS; sending mail; SQL that is not
a query; starting a process; opening a file outside temporary folders for writing. Files and processes are seen by an
audit hook, which no import style escapes and which replaces no function of the user's; mail and SQL are in
`statements.py`. The crew's own machinery (its models, its storage) passes.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from crewdoctor.worker.points import switch
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.stacks import whose
from crewdoctor.worker.taps.tap import BlockedWouldWrite, Tap, name_here, subject_here

_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "CONNECT", "TRACE"})

READ_BY_POST = (
    "google.serper.dev",
    "scrape.serper.dev",
    "api.tavily.com",
    "api.exa.ai",
    "api.firecrawl.dev",
    "api.linkup.so",
    "api.parallel.ai",
    "api.perplexity.ai",
    "api.spider.cloud",
    "api.scrapegraphai.com",
    "api.you.com",
    "ydc-index.io",
    "api.contextual.ai",
    "s.jina.ai",
    "r.jina.ai",
)
"""Hosts crewai_tools asks by POST and that only answer. A host here is a promise: nothing behind it keeps state."""

_INFERENCE = re.compile(
    r"/(chat/completions|completions|responses|embeddings|messages|rerank|input_tokens|count_tokens"
    r"|api/(chat|generate|embed)|[^/]+:(generateContent|streamGenerateContent|embedContent|countTokens))/?$"
)
"""Asking a model is reading, wherever it runs."""


_WITHIN_A_TASK = frozenset({"task.execution", "agent.execution"})
_MACHINERY = frozenset({"crewai", "crewai_core"})


def guarded(recorder: Recorder, *, on_wire: bool = False) -> bool:
    """Whether the running code is a tool's call with invented arguments, or the user's own on what a task invented.

    `on_wire`: what it would change lies behind a connection; where those are led to us, nothing does.
    Code no span claims (a thread the tool made by itself) counts as the tool's only where the step is the tool alone.
    """
    if recorder.writes_blocked <= 0 or not recorder.armed or (on_wire and switch.lead is not None):
        return False
    name = name_here(recorder)
    if name in {"tool.call", "tool.stall"}:
        return subject_here(recorder) not in recorder.may_write
    if name in _WITHIN_A_TASK:
        return _users_own()
    return not name and recorder.subject.startswith("tool:")


def _users_own() -> bool:
    """Whether the user's code asked for it, rather than crewai's machinery: whoever of the two is the nearer caller."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in _MACHINERY:
            return False
        if whose(frame.f_code.co_filename) == "user":
            return True
        frame = frame.f_back
    return False


def stop(recorder: Recorder, what: str, target: str) -> None:
    """Record and raise. Raises BlockedWouldWrite, always."""
    recorder.stopped_writes.append(f"{what} {target}")
    recorder.event("blocked.would_write", what=what, target=target)
    raise BlockedWouldWrite(f"blocked: would write ({what} {target}); crewdoctor invented what this call was given")


def may_send(recorder: Recorder, method: str, host: str, path: str) -> None:
    """Stop an HTTP request that may change the world. Raises BlockedWouldWrite."""
    if method.upper() in _READING_METHODS or not guarded(recorder, on_wire=True):
        return
    path = path.partition("?")[0]
    if any(host == known or host.endswith(f".{known}") for known in READ_BY_POST) or _INFERENCE.search(path):
        return
    stop(recorder, method.upper(), f"{host}{path}")


_WRITING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def install(recorder: Recorder) -> None:
    """Add the audit hook for files and processes; HTTP asks `may_send` from its own taps. A hook cannot be removed."""
    tap = Tap("writes", recorder)
    judges: dict[str, Callable[..., None]] = {
        "open": _opened,
        "os.remove": _changed,
        "os.rename": _changed,
        "os.rmdir": _changed,
        "os.truncate": _changed,
        "shutil.rmtree": _changed,
        "subprocess.Popen": _started,
        "os.system": _started,
        "os.posix_spawn": _started,
    }
    judge_safely = {event: tap.guard(judge) for event, judge in judges.items()}

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if recorder.writes_blocked > 0 and event in judge_safely and guarded(recorder):
            judge_safely[event](recorder, *arguments)

    if id(recorder) not in _audited:
        _audited.add(id(recorder))
        sys.addaudithook(audit)


_audited: set[int] = set()


def _opened(recorder: Recorder, path: Any, mode: Any = None, flags: Any = 0, *_rest: Any) -> None:
    writes = set(mode) & set("wax+") if isinstance(mode, str) else int(flags or 0) & _WRITING_FLAGS
    if writes and not _harmless(path):
        stop(recorder, "write to file", _shown(path))


def _changed(recorder: Recorder, path: Any, *_rest: Any) -> None:
    if not _harmless(path):
        stop(recorder, "remove or rename", _shown(path))


def _started(recorder: Recorder, executable: Any, *_rest: Any) -> None:
    stop(recorder, "start a process", _shown(executable))


_BYTECODE = re.compile(r"\.pyc(\.\d+)?$")
"""Of a module the tool imports, wherever PYTHONPYCACHEPREFIX puts it; importlib writes `x.pyc.NUMBER` and renames."""


def _harmless(path: Any) -> bool:
    """Temporary folders, devices, caches, bytecode, descriptors that are open already."""
    if isinstance(path, int) or path is None:
        return True
    real = os.path.realpath(os.fsdecode(path))
    roots = (os.path.realpath(tempfile.gettempdir()), "/dev", "/proc", os.path.realpath(Path.home() / ".cache"))
    return bool(_BYTECODE.search(real)) or any(real == root or real.startswith(root + os.sep) for root in roots)


def _shown(path: Any) -> str:
    return Path(os.fsdecode(path)).name if isinstance(path, (str, bytes, os.PathLike)) else str(path)
