"""`crewdoctor settings`: every timeout, retry, rate and concurrency setting in force, and the ledger."""

from __future__ import annotations

import typer

from crewdoctor.cli import flags


def settings(
    target: flags.Target = "",
    inputs: flags.Inputs = None,
    inputs_file: flags.InputsFile = None,
    outer: flags.Outer = None,
    deadline: flags.Deadline = None,
    prove: flags.Prove = False,
    fail_on: flags.FailOn = None,
    select: flags.Select = None,
    ignore: flags.Ignore = None,
    python: flags.Python = None,
    recording: flags.Recording = None,
    formats: flags.Formats = None,
    outputs: flags.Outputs = None,
    color: flags.Color = "auto",
    verbose: flags.Verbose = 0,
    quiet: flags.Quiet = False,
) -> None:
    """Show every timeout in force, and who says so.

    Loads the crew; no traffic. The ledger says how long each scope can take. With --prove the models run into a server
    of ours that fails, and the report says which settings hold.
    """
    from crewdoctor.cli import running

    given = {
        "outer": outer,
        "deadline": deadline,
        "prove": prove or None,
        "fail_on": fail_on,
        "select": select,
        "ignore": ignore,
        "python": python,
        "inputs": running.inputs(inputs, inputs_file),
    }
    told = running.Telling(formats, outputs, color, -1 if quiet else verbose)
    raise typer.Exit(running.diagnose(running.Asked(target, "settings"), given, recording, told))
