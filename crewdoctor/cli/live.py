"""A few rows at the foot of a terminal, redrawn in place: one write per frame, nothing cleared before it is rewritten.

The cursor is not hidden and no mode is set: whatever ends the process leaves a terminal that works.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from typing import TextIO

Piece = tuple[str, str]
"""Text and its SGR parameters (`2` dim, `1` bold), empty for plain."""
Row = Sequence[Piece]

_SPARE = 3
"""Columns left free at the right: `^C` is echoed there, and a row that fills its line wraps on some terminals."""
_NARROWEST = 10
_FALLBACK = (80, 24)
_ELLIPSIS = "..."
_CLEAR = "\x1b[J"
"""From the cursor on."""


class Area:
    """The rows. Text given to it is printable already."""

    def __init__(self, stream: TextIO, *, color: bool) -> None:
        self._stream = stream
        self._color = color
        self._drawn: list[int] = []
        """Columns each row on screen takes."""
        self._frame = ""
        self._columns = 0

    def size(self) -> tuple[int, int]:
        """Columns a row may use, and rows there are, now: windows are resized."""
        try:
            size = os.get_terminal_size(self._stream.fileno())
            columns, rows = size.columns or _FALLBACK[0], size.lines or _FALLBACK[1]
        except (OSError, ValueError):
            columns, rows = _FALLBACK
        return max(_NARROWEST, columns - _SPARE), max(2, rows - 1)

    def draw(self, rows: Sequence[Row]) -> None:
        """Show these rows in place of those before. Raises OSError or ValueError when the stream is gone."""
        columns, most = self.size()
        cut = [_cut(row, columns) for row in rows[:most]]
        frame = "\x1b[K\n".join(self._painted(row) for row in cut) + _CLEAR
        if (frame, columns) == (self._frame, self._columns) and self._drawn:
            return
        resized = self._drawn and columns != self._columns
        self._write(f"{self._wiped() if resized else self._home()}{frame}")
        self._frame, self._columns = frame, columns
        self._drawn = [sum(width(text) for text, _ in row) for row in cut]

    def erase(self) -> None:
        """Take the rows away; what is written next stands where they stood."""
        if self._drawn:
            home = self._home()
            self._drawn, self._frame = [], ""
            self._write(f"{home}{_CLEAR}")

    def _height(self) -> int:
        """Rows they take on screen: a narrower window has wrapped them."""
        columns = self.size()[0] + _SPARE
        return sum(max(1, -(-each // columns)) for each in self._drawn)

    def _home(self) -> str:
        """To the first column of the first row."""
        height = self._height()
        return f"\x1b[{height - 1}A\r" if height > 1 else "\r"

    def _wiped(self) -> str:
        """Likewise, each row cleared by itself: a terminal remembers which of its rows it has wrapped."""
        return "\x1b[2K\x1b[A" * (self._height() - 1) + "\x1b[2K\r"

    def _painted(self, row: Row) -> str:
        if not self._color:
            return "".join(text for text, _ in row)
        return "".join(f"\x1b[{style}m{text}\x1b[0m" if style and text else text for text, style in row)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def width(text: str) -> int:
    """Columns it takes: East Asian wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def fitted(text: str, columns: int) -> str:
    """`text`, cut to so many columns; what was cut is told by three dots."""
    if width(text) <= columns:
        return text
    kept, used = "", 0
    for each in text:
        used += width(each)
        if used > columns - len(_ELLIPSIS):
            break
        kept += each
    return f"{kept.rstrip()}{_ELLIPSIS}"[: max(0, columns)]


def _cut(row: Row, columns: int) -> list[Piece]:
    kept: list[Piece] = []
    for text, style in row:
        told = fitted(text, columns)
        columns -= width(told)
        kept.append((told, style))
    return kept
