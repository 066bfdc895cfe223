"""`crewdoctor run`: the user's own program, unchanged, recorded, and diagnosed from the recording when it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from crewdoctor.cli import flags
from crewdoctor.cli.completing import one_of

Text = Optional[str]  # noqa: UP045 - Typer reads it at run time, on Python 3.10 too
Command = Annotated[list[str], typer.Argument(help="python main.py, uvicorn app:app, -m module.", show_default=False)]


def run(
    command: Command,
    fail_on: Annotated[
        Text,
        typer.Option(
            "--fail-on",
            help="A program that ended well exits 1 from this severity on: error or warning. Default: never.",
            autocompletion=one_of("error", "warning", "never"),
        ),
    ] = None,
    select: flags.Select = None,
    ignore: flags.Ignore = None,
    outer: flags.Outer = None,
    recording: flags.Recording = None,
    formats: flags.Formats = None,
    outputs: flags.Outputs = None,
    color: flags.Color = "auto",
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose", "-v", count=True, help="crewai's `verbose` and the SDKs' debug logs on; every line shown."
        ),
    ] = 0,
    quiet: flags.Quiet = False,
) -> None:
    """Run a program that uses crewai, record it, and say what it waited for.

    Options come before the program: `crewdoctor run -o report.json -- python main.py --its --own`. Its streams,
    signals and exit code are its own; the report goes to stderr when it ends, by itself, by Ctrl-C or SIGTERM.
    """
    from dataclasses import replace

    from crewdoctor import pipeline
    from crewdoctor.cli import outputs as telling
    from crewdoctor.cli.recording_file import recording_file
    from crewdoctor.cli.running import Asked, options
    from crewdoctor.supervisor.program import run_program
    from crewdoctor.wire.recording import read_recording
    from crewdoctor.wire.redact import learn_environment

    learn_environment(os.environ)
    chosen = telling.outlets(formats, outputs)
    telling.color_of(color)
    asked = _command(command)
    verbosity = -1 if quiet else verbose
    given = {"fail_on": fail_on, "select": select, "ignore": ignore, "outer": outer}
    known = {"target": " ".join(command), "llm": "own"}
    configured = options(Asked("", "run", known), {**given, "python": None}, verbosity)
    file = recording_file(recording)
    if not quiet:
        sys.stderr.write(f"crewdoctor: recording {file}\n")
    told: list[str] = []

    def tell(signal: str = "") -> None:
        if signal:
            told.append(signal)
            sys.stderr.write(
                f"crewdoctor: it goes on after {signal}; what it waits for, as far as it has been recorded:\n"
            )
        report = pipeline.analyse(read_recording(file))
        outlets = [each for each in chosen if each.file is not None or signal or not told]
        telling.write(report, outlets, color=color, verbosity=verbosity, stream=sys.stderr)
        exit_codes.append(report.exit_code)
        if signal:
            sys.stderr.write(
                "crewdoctor: the program still runs, as it would without crewdoctor: Python joins the threads CrewAI "
                "started; Ctrl-C twice more ends it\n"
            )

    exit_codes: list[int] = []
    ended = run_program(asked, replace(configured.options, llm="own"), file, verbose=verbose > 0, lingers=tell)
    tell()
    found = fail_on not in (None, "never") and ended.code == 0 and exit_codes[-1] == 1
    raise typer.Exit(1 if found else ended.code)


def _command(command: list[str]) -> list[str]:
    """A module or a file of Python is run by the interpreter a diagnosis would take."""
    from crewdoctor.interpreter import find_interpreter

    first = Path(command[0])
    script = first.suffix == ".py" and first.is_file() and not os.access(first, os.X_OK)
    return [find_interpreter("", Path.cwd()), *command] if command[0] == "-m" or script else command
