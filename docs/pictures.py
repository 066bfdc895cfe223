"""Pictures of the terminal report, painted from recordings of real runs: `docs/pictures/*.jsonl` to `*.svg`.

`sick.jsonl` is `crewdoctor demo FOLDER`; `healthy.jsonl` the same shop, its service well and its call with a timeout.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from crewdoctor import pipeline
from crewdoctor.report import terminal
from crewdoctor.wire.recording import read_recording

HERE = Path(__file__).resolve().parent / "pictures"
_WIDTH = 88
_FORMAT = (
    re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    .replace(
        "font-family: Fira Code, monospace", "font-family: ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace"
    )
    .replace("font-family: arial", "font-family: Arial, sans-serif")
)
"""rich's own, without fonts from the network."""
_SECTIONS = {
    "finding.svg": ("sick.jsonl", "crewdoctor diagnose crew.py", "", "Examined"),
    "layers.svg": ("sick.jsonl", "what held and what did not", "Examined", "Crew"),
    "waterfall.svg": ("sick.jsonl", "where the time went", "Crew", "Ledger"),
    "ledger.svg": ("sick.jsonl", "the longest each scope can take", "Ledger", ""),
    "healthy.svg": ("healthy.jsonl", "crewdoctor diagnose crew.py", "", ""),
}
"""Picture: recording, title, and the headings it starts at and ends before."""


def files() -> dict[str, str]:
    """Every picture by name."""
    return {name: _picture(name, *told) for name, told in _SECTIONS.items()}


def _picture(name: str, recording: str, title: str, first: str, last: str) -> str:
    report = pipeline.analyse(read_recording(HERE / recording))
    lines = Text.from_ansi(terminal.render(report, width=_WIDTH, color=True)).split("\n", allow_blank=True)
    plain = [line.plain for line in lines]
    start = _heading(plain, first) if first else 0
    end = _heading(plain, last) if last else len(plain)
    console = Console(
        record=True, width=_WIDTH, file=io.StringIO(), color_system="standard", force_terminal=True, _environ={}
    )
    for line in lines[start:end]:
        console.print(line, no_wrap=True, overflow="ignore", crop=False)
    unique = name.removesuffix(".svg")
    svg = console.export_svg(title=title, unique_id=f"crewdoctor-{unique}", code_format=_FORMAT)
    return "\n".join(row.rstrip() for row in svg.splitlines()) + "\n"


def _heading(plain: list[str], start: str) -> int:
    return next(number for number, row in enumerate(plain) if row.startswith(start))
