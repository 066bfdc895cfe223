"""Where a report goes: one format to stdout, others to files; colours and width as the terminal can show them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from crewdoctor.model.refusal import Refusal
from crewdoctor.model.report import Report
from crewdoctor.report import formats as known
from crewdoctor.wire.redact import clean

_WIDEST = 120
_COLORS = ("auto", "always", "never")


@dataclass(frozen=True, slots=True)
class Outlet:
    """One format and its file; no file is stdout."""

    format: str
    file: Path | None


def outlets(formats: Sequence[str] | None, files: Sequence[Path] | None) -> tuple[Outlet, ...]:
    """Pair formats with files: by suffix where it names a format, then the last formats with the remaining files.

    Raises Refusal for an unknown format, a file without a format, and two formats on stdout.
    """
    asked = list(formats or [])
    for each in asked:
        if each not in known.formats():
            raise Refusal(f"--format {each}: unknown; write {listed()}")
    paired: list[Outlet] = []
    unnamed: list[Path] = []
    for file in files or ():
        named = known.of_file(file.name)
        if named is None:
            unnamed.append(file)
            continue
        paired.append(Outlet(named, file))
        if named in asked:
            asked.remove(named)
    for file in reversed(unnamed):
        if not asked:
            raise Refusal(f"--output {file}: no --format is left for it; give one --format for each file")
        paired.append(Outlet(asked.pop(), file))
    if not asked and not formats:
        asked = [known.DEFAULT]
    if len(asked) > 1:
        raise Refusal(f"formats {' and '.join(asked)} would both go to stdout; give -o FILE for one of them")
    for outlet in paired:
        if outlet.file is not None:
            _must_be_writable(outlet.file)
    return (*(Outlet(each, None) for each in asked), *paired)


def _must_be_writable(file: Path) -> None:
    """Found out before the diagnosis is made, not after. Raises Refusal."""
    folder = file.absolute().parent
    if not folder.is_dir():
        raise Refusal(f"--output {file}: there is no folder {folder}; create it, or give another file")
    new = not file.exists()
    try:
        file.open("ab").close()
    except OSError as error:
        raise Refusal(f"--output {file}: cannot be written: {error.strerror}; give another file") from None
    if new:
        file.unlink(missing_ok=True)


def color_of(color: str) -> str:
    """Raise Refusal for anything but auto, always, never."""
    if color not in _COLORS:
        raise Refusal(f"--color {color}: write {', '.join(_COLORS)}")
    return color


def write(
    report: Report,
    chosen: Sequence[Outlet],
    *,
    color: str,
    verbosity: int,
    stream: TextIO | None = None,
    recording: Path | None = None,
) -> None:
    """Render once per outlet; `stream` instead of stdout; `recording` is what it was made from.

    Raises Refusal when a file cannot be written.
    """
    stream = stream or sys.stdout
    for outlet in chosen:
        look: dict[str, Any] = {"color": color, "verbosity": verbosity, "recording": recording}
        if outlet.file is None:
            stream.write(_encodable(_rendered(report, outlet.format, stream, **look), stream))
            stream.flush()
        else:
            try:
                outlet.file.write_text(_rendered(report, outlet.format, None, **look), encoding="utf-8")
            except OSError as error:
                way_out = "`crewdoctor analyse` makes the report again from the recording"
                raise Refusal(f"--output {outlet.file}: cannot be written: {error.strerror}; {way_out}") from None
        for variable, format_name in known.formats()[outlet.format].appended:
            _append(os.environ.get(variable, ""), variable, _rendered(report, format_name, None, **look))


def _append(file: str, variable: str, text: str) -> None:
    """Continue a file the environment names; the report itself is out by then, so a failure is only told."""
    if not file:
        return
    try:
        with Path(file).open("a", encoding="utf-8") as held:
            held.write(text)
    except OSError as error:
        sys.stderr.write(f"crewdoctor: {variable}={clean(file)} cannot be written: {error.strerror}\n")


def _rendered(
    report: Report, format_name: str, stream: TextIO | None, *, color: str, verbosity: int, recording: Path | None
) -> str:
    workspace = os.environ.get("GITHUB_WORKSPACE", "")
    look: dict[str, Any] = {"verbosity": verbosity, "workspace": os.path.realpath(workspace) if workspace else ""}
    if recording is not None and "recording" in known.asked(format_name):
        from crewdoctor.wire.recording import read_recording

        look["recording"] = read_recording(recording)
    if stream is not None:
        look |= {"width": _width(stream), "color": colored(stream, color), "plain": _plain(stream)}
    return known.render(report, format_name, **look)


def listed() -> str:
    """`rich, json or markdown`: the formats there are."""
    *most, last = known.formats()
    return f"{', '.join(most)} or {last}"


def colored(stream: TextIO, color: str) -> bool:
    """Whether to paint: --color, then NO_COLOR, TERM=dumb and a terminal at the other end."""
    if color != "auto":
        return color == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _plain(stream: TextIO) -> bool:
    encoding = (stream.encoding or "ascii").lower().replace("-", "")
    return encoding != "utf8" or os.environ.get("TERM") == "dumb"


def _width(stream: TextIO) -> int:
    if stream.isatty() or os.environ.get("COLUMNS"):
        return min(_WIDEST, shutil.get_terminal_size((80, 24)).columns)
    return 80


def _encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding)
