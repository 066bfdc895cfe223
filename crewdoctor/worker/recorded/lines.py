"""What crewai and the SDKs say when they are asked to be verbose: their lines, without content, as events.

A line of a library is a message and its arguments. The message is its own words; of the arguments only numbers and
single words are kept: the rest may be a prompt, an answer or a header.
"""

from __future__ import annotations

import logging
import sys
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import Tap

LOGGERS = ("openai", "anthropic", "httpx", "httpcore", "httpx2", "LiteLLM", "litellm", "urllib3")
MOST = 5000
"""Lines of one process; what a stream says for every token must not fill the disk."""
_LONGEST, _WORD = 200, 80
_CONTENT = (" return_value=", " request=", "json_data", "Request options", "HTTP Response:", "'headers'")
"""From here on a line quotes what was sent or answered."""


class _Lines(logging.Handler):
    """Notes records; prints nothing."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(logging.DEBUG)
        self._recorder = recorder
        self._left = MOST

    def emit(self, record: logging.LogRecord) -> None:
        """Note one line."""
        if self._left <= 0:
            return
        self._left -= 1
        try:
            text = told(str(record.msg), record.args)
            if record.name.lower().startswith("litellm"):  # it formats content into the message itself
                text = text.partition(":")[0]
            self._recorder.event("log.line", logger=record.name, level=record.levelname, text=text)
            if not self._left:
                self._recorder.own(f"lines of libraries beyond {MOST} were not recorded")
        except Exception:
            self._left = 0


def told(message: str, arguments: Any) -> str:
    """One line without content."""
    for mark in _CONTENT:
        head, found, _ = message.partition(mark)
        message = f"{head}{mark}…" if found else message
    if isinstance(arguments, tuple):
        try:
            message %= tuple(_bare(each) for each in arguments)
        except (TypeError, ValueError):
            message = message.replace("%s", "…")
    return " ".join(message.split())[:_LONGEST]


def _bare(value: Any) -> Any:
    if isinstance(value, (int, float, type(None))):
        return value
    text = str(value) if isinstance(value, str) or type(value).__name__ in {"URL", "HTTPStatus"} else ""
    return text if text and len(text) <= _WORD and not any(map(str.isspace, text)) else "…"


def install(recorder: Recorder) -> None:
    """Lower the loggers and note what they say."""
    handler = _Lines(recorder)
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)
    tap = Tap("lines", recorder)

    def panels(module: ModuleType) -> None:
        tap.around(module.ConsoleFormatter, "print_panel", _Panel(recorder).printed)

    when_imported("crewai.events.utils.console_formatter", tap.safely(panels))


def verbose(crew: Any) -> None:
    """Make a crew that kicks off say what it does."""
    crew.verbose = True
    for agent in getattr(crew, "agents", ()):
        agent.verbose = True
    kind = getattr(sys.modules.get("crewai.events.event_listener"), "EventListener", None)
    listener = getattr(kind, "_instance", None)
    if listener is not None:
        listener.verbose = listener.formatter.verbose = True


class _Panel:
    """What crewai's verbose output prints, by its title: the text within is content."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def printed(self, *arguments: Any, **named: Any) -> None:
        """A panel is about to be printed."""
        title = named.get("title") or (arguments[2] if len(arguments) > 2 else "")  # noqa: PLR2004 - self, content, title
        self._recorder.event("log.line", logger="crewai", level="INFO", text=" ".join(str(title).split())[:_LONGEST])
