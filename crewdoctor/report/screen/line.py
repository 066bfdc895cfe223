"""A line of the terminal report, before it is wrapped and painted."""

from __future__ import annotations

from dataclasses import dataclass

from crewdoctor.wire.redact import clean

SIMULATED = "SIMULATED"


@dataclass(frozen=True, slots=True)
class Line:
    """Styled pieces. What does not fit goes on beneath `hang`, the column the wrapped rest starts in."""

    pieces: tuple[tuple[str, str], ...] = ()
    """Text and style: `` (plain), `dim`, `bold`, `red`, `yellow`, `green`, `cyan`, or several."""
    indent: int = 0
    hang: int = 0
    """Further columns for the wrapped rest."""
    code: bool = False
    """Never wrapped: text to paste."""


BLANK = Line()


def line(*pieces: str | tuple[str, str], indent: int = 0, hang: int = 0, code: bool = False) -> Line:
    """Build a Line; bare strings are plain. Every text is made printable here, once."""
    told = tuple((clean(each), "") if isinstance(each, str) else (clean(each[0]), each[1]) for each in pieces)
    return Line(told, indent, hang, code)


def heading(title: str) -> list[Line]:
    """A section's first lines."""
    return [BLANK, line((title, "bold"))]


def simulated(*, mark: bool) -> tuple[str, str]:
    """The label a simulated model leaves on every line it touches; nothing elsewhere."""
    return (f"  {SIMULATED}", "magenta") if mark else ("", "")
