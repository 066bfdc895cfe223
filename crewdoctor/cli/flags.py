"""Flags that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

Formats = Annotated[
    Optional[list[str]],  # noqa: UP045 - Typer reads it at run time, on Python 3.10 too
    typer.Option("--format", help="rich or json; repeatable. Default: rich."),
]
Outputs = Annotated[
    Optional[list[Path]],  # noqa: UP045 - as above
    typer.Option("--output", "-o", help="Write a format to FILE instead of stdout; repeatable. FILE.json means json."),
]
FailOn = Annotated[
    Optional[str],  # noqa: UP045 - as above
    typer.Option("--fail-on", help="Exit 1 from this severity on: error, warning or never. Default: error."),
]
Select = Annotated[
    Optional[list[str]],  # noqa: UP045 - as above
    typer.Option("--select", help="Only these rules: CD301, or CD3 for the family; repeatable, or with commas."),
]
Ignore = Annotated[
    Optional[list[str]],  # noqa: UP045 - as above
    typer.Option("--ignore", help="Not these rules."),
]
Color = Annotated[str, typer.Option("--color", help="auto, always or never.")]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Show every line; twice: where options come from.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Findings only, and no progress.")]
Recording = Annotated[
    Optional[Path],  # noqa: UP045 - as above
    typer.Option("--recording", help="Where to keep the recording. Default: a file under .crewdoctor/."),
]
Deadline = Annotated[
    Optional[str],  # noqa: UP045 - as above
    typer.Option("--deadline", help="Time for the diagnosis: 120s, 2m or 90. Default: 120s."),
]

Text = Optional[str]  # noqa: UP045 - as above
Inputs = Annotated[Text, typer.Option("--inputs", help="Inputs of the crew, as a JSON object.")]
InputsFile = Annotated[
    Optional[Path],  # noqa: UP045 - as above
    typer.Option("--inputs-file", help="A file that holds them."),
]
Python = Annotated[Text, typer.Option("--python", help="The interpreter the crew runs in.")]
Target = Annotated[str, typer.Argument(help="crew.py, or crew.py:name.", show_default=False)]
Outer = Annotated[Text, typer.Option("--outer", help="The platform's own limit: 60s, 15m.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan, run nothing.")]
