"""`crewdoctor probe-tool`: one tool of a crew, alone: its hosts, one call at a time, then four at once."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from crewdoctor.cli import flags


def probe_tool(
    target: Annotated[str, typer.Argument(help="crew.py, or crew.py:name.", show_default=False)],
    tool: Annotated[str, typer.Argument(help="The tool's name.", show_default=False)],
    arguments: Annotated[
        flags.Text, typer.Option("--arguments", help="What to call it with, as a JSON object; it may then write.")
    ] = None,
    allow_write: Annotated[
        bool, typer.Option("--allow-write", help="Let it change the world with invented arguments.")
    ] = False,
    stall: Annotated[
        bool,
        typer.Option("--stall", help="Run it against a server of ours that goes silent, too; the real one is not met."),
    ] = False,
    inputs: flags.Inputs = None,
    inputs_file: flags.InputsFile = None,
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
    """Call one tool of a crew alone.

    Once at a time, then four at once; guarded unless its arguments are yours. With --stall also when it gives up on a
    server that is silent: at connect, in TLS, after the request, in the middle of the answer, with slow names.
    """
    from crewdoctor.cli import running
    from crewdoctor.model.refusal import Refusal

    given: dict[str, Any] = {
        "deadline": deadline,
        "fail_on": fail_on,
        "select": select,
        "ignore": ignore,
        "python": python,
        "dry_run": dry_run or None,
        "prove": stall or None,
        "allow_tools": [tool] if allow_write else None,
        "inputs": running.inputs(inputs, inputs_file),
    }
    if arguments is not None:
        try:
            held = json.loads(arguments)
        except json.JSONDecodeError as error:
            raise Refusal(f"--arguments: not valid JSON: {error}") from None
        if not isinstance(held, dict):
            raise Refusal('--arguments: expected an object of names and values, e.g. \'{"query": "x"}\'')
        given["tool_arguments"] = {tool: held}
    told = running.Telling(formats, outputs, color, -1 if quiet else verbose)
    raise typer.Exit(running.diagnose(running.Asked(target, "tool", {"tool": tool}), given, recording, told))
