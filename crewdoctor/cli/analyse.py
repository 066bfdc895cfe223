"""`crewdoctor analyse`: the same report again, from a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crewdoctor.cli import flags


def analyse(
    recording: Annotated[Path, typer.Argument(help="A recording.jsonl.", show_default=False)],
    fail_on: flags.FailOn = None,
    select: flags.Select = None,
    ignore: flags.Ignore = None,
    formats: flags.Formats = None,
    outputs: flags.Outputs = None,
    color: flags.Color = "auto",
    verbose: flags.Verbose = 0,
    quiet: flags.Quiet = False,
) -> None:
    """Report a recording again.

    With the options it was made with, unless they are given anew.
    """
    from dataclasses import replace

    from crewdoctor import pipeline
    from crewdoctor.cli import outputs as telling
    from crewdoctor.config import configure
    from crewdoctor.model.refusal import Refusal
    from crewdoctor.wire.recording import RecordingError, read_recording

    chosen = telling.outlets(formats, outputs)
    telling.color_of(color)
    given = {"fail_on": fail_on, "select": select, "ignore": ignore}
    asked = configure(given, environment={}, folder=Path("/")).options
    try:
        held = read_recording(recording)
    except OSError as error:
        raise Refusal(
            f"{recording}: cannot be read: {error.strerror}; give a recording.jsonl made by `crewdoctor diagnose`"
        ) from None
    except RecordingError as error:
        raise Refusal(f"{error}; give a recording.jsonl made by `crewdoctor diagnose`") from None
    if fail_on is not None:
        made_with = replace(held.header.options, fail_on=asked.fail_on)
        held = replace(held, header=replace(held.header, options=made_with))
    report = pipeline.analyse(held, select=asked.select, ignore=asked.ignore)
    telling.write(report, chosen, color=color, verbosity=-1 if quiet else verbose, recording=recording)
    raise typer.Exit(report.exit_code)
