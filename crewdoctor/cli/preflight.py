"""`crewdoctor preflight`: settings, network and one call of each model, with an exit code: for CI."""

from __future__ import annotations

from typing import Annotated

import typer

from crewdoctor.cli import flags


def preflight(
    target: flags.Target = "",
    inputs: flags.Inputs = None,
    inputs_file: flags.InputsFile = None,
    no_llm: Annotated[bool, typer.Option("--no-llm", help="Call no model.")] = False,
    with_crew: Annotated[
        bool, typer.Option("--with-crew", help="Also run the full crew, on the embedded model.")
    ] = False,
    outer: flags.Outer = None,
    deadline: flags.Deadline = None,
    fail_on: flags.FailOn = None,
    select: flags.Select = None,
    ignore: flags.Ignore = None,
    python: flags.Python = None,
    dry_run: flags.DryRun = False,
    recording: flags.Recording = None,
    formats: flags.Formats = None,
    outputs: flags.Outputs = None,
    color: flags.Color = "auto",
    verbose: flags.Verbose = 0,
    quiet: flags.Quiet = False,
) -> None:
    """Is this crew ready to run? For CI.

    Settings, network and one call of each model; nothing of the crew runs. Deadline: 60s.
    """
    from crewdoctor.cli import running

    given = {
        "outer": outer,
        "deadline": deadline,
        "fail_on": fail_on,
        "select": select,
        "ignore": ignore,
        "python": python,
        "dry_run": dry_run or None,
        "inputs": running.inputs(inputs, inputs_file),
    }
    asked = running.Asked(target, "preflight", {"no_llm": no_llm, "with_crew": with_crew}, {"deadline": 60.0})
    told = running.Telling(formats, outputs, color, -1 if quiet else verbose)
    raise typer.Exit(running.diagnose(asked, given, recording, told))
