"""Flags that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from crewdoctor.cli.completing import one_of, rule
from crewdoctor.model.options import STYLES
from crewdoctor.report import formats

*_MOST, _LAST = formats.formats()
_NAMED = ", ".join(f"FILE.{suffix}" for each in formats.formats().values() for suffix in each.suffixes)
_FORMATS = f"{', '.join(_MOST)} or {_LAST}"

Formats = Annotated[
    Optional[list[str]],  # noqa: UP045 - Typer reads it at run time, on Python 3.10 too
    typer.Option(
        "--format",
        metavar="FORMAT",
        help=f"{_FORMATS}; repeatable. Default: {formats.DEFAULT}.",
        autocompletion=one_of(*formats.formats()),
    ),
]
Outputs = Annotated[
    Optional[list[Path]],  # noqa: UP045 - as above
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help=f"Write a format to FILE instead of stdout; repeatable. {_NAMED} say which.",
    ),
]
FailOn = Annotated[
    Optional[str],  # noqa: UP045 - as above
    typer.Option(
        "--fail-on",
        metavar="SEVERITY",
        help="Exit 1 from this severity on: error, warning or never. Default: error.",
        autocompletion=one_of("error", "warning", "never"),
    ),
]
Select = Annotated[
    Optional[list[str]],  # noqa: UP045 - as above
    typer.Option(
        "--select",
        metavar="CODE",
        help="Only these rules: CD301, or CD3 for the family; repeatable, or with commas.",
        autocompletion=rule,
    ),
]
Ignore = Annotated[
    Optional[list[str]],  # noqa: UP045 - as above
    typer.Option("--ignore", metavar="CODE", help="Not these rules.", autocompletion=rule),
]
Color = Annotated[
    str,
    typer.Option(
        "--color", metavar="WHEN", help="auto, always or never.", autocompletion=one_of("auto", "always", "never")
    ),
]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Show every line; twice: where options come from.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Findings only, and no progress.")]
Recording = Annotated[
    Optional[Path],  # noqa: UP045 - as above
    typer.Option(
        "--recording", metavar="FILE", help="Where to keep the recording. Default: a file under .crewdoctor/."
    ),
]
Deadline = Annotated[
    Optional[str],  # noqa: UP045 - as above
    typer.Option(
        "--deadline",
        metavar="TIME",
        help="Time for it all: 120s, 2m or 90. Default: 120s; preflight, probe-llm and probe-net: 60s.",
    ),
]

_TARGETS = "crew.py, crew.py:name, package.module:name, a folder or a definition. Default: the project's crew here."
Text = Optional[str]  # noqa: UP045 - as above
Inputs = Annotated[Text, typer.Option("--inputs", metavar="JSON", help='Inputs of the crew: \'{"topic": "tea"}\'.')]
InputsFile = Annotated[
    Optional[Path],  # noqa: UP045 - as above
    typer.Option("--inputs-file", metavar="FILE", help="A file that holds them."),
]
Python = Annotated[Text, typer.Option("--python", metavar="PATH", help="The interpreter the crew runs in.")]
Target = Annotated[str, typer.Argument(help=_TARGETS, show_default=False)]
Outer = Annotated[Text, typer.Option("--outer", metavar="TIME", help="The platform's own limit: 60s, 15m.")]
Prove = Annotated[
    bool,
    typer.Option(
        "--prove",
        help="Prove settings by experiment: each model is built again and led to a server of ours that fails.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan, run nothing.")]

Llm = Annotated[
    Text,
    typer.Option(
        "--llm",
        help="own, embedded (no key, no tokens) or auto.",
        autocompletion=one_of("own", "embedded", "auto"),
    ),
]
MaxLlmCalls = Annotated[
    Optional[int],  # noqa: UP045 - as above
    typer.Option(
        "--max-llm-calls",
        metavar="N",
        help="Calls of the crew's own model, at most. Default: 20. The embedded model is free.",
    ),
]
AllowTool = Annotated[
    Optional[list[str]],  # noqa: UP045 - as above
    typer.Option(
        "--allow-tool", metavar="NAME", help="Let this tool change the world with invented arguments; repeatable."
    ),
]
Style = Annotated[
    Text,
    typer.Option(
        "--style",
        metavar="STYLE",
        help=f"How many kickoffs are started at once: {', '.join(STYLES)}. Default: as the source does, else threads.",
        autocompletion=one_of(*STYLES),
    ),
]
MaxConcurrency = Annotated[
    Optional[int],  # noqa: UP045 - as above
    typer.Option("--max-concurrency", metavar="N", help="Kickoffs at once, at most. Default: 16."),
]
ModelLatency = Annotated[
    Text,
    typer.Option(
        "--model-latency",
        metavar="TIME",
        help="How long the embedded model takes for an answer of the ramp. Default: as the own one does, else 1s.",
    ),
]
LoadEndpoint = Annotated[
    bool,
    typer.Option(
        "--yes-load-this-endpoint",
        help="More than 8 at once towards endpoints that are not on this machine too.",
    ),
]
Confirm = Annotated[
    bool,
    typer.Option("--confirm", help="Take the first cause away, in the worker only, and run the last number again."),
]
