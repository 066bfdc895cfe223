"""`crewdoctor diagnose`: a crew, from the ground up, to the first cause."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from crewdoctor.cli import flags
from crewdoctor.cli.completing import one_of

Text = Optional[str]  # noqa: UP045 - Typer reads it at run time, on Python 3.10 too


def diagnose(
    target: Annotated[str, typer.Argument(help="crew.py, or crew.py:name.", show_default=False)] = "",
    inputs: Annotated[Text, typer.Option("--inputs", help="Inputs of the crew, as a JSON object.")] = None,
    inputs_file: Annotated[
        Optional[Path],  # noqa: UP045 - as above
        typer.Option("--inputs-file", help="A file that holds them."),
    ] = None,
    llm: Annotated[
        Text,
        typer.Option(
            "--llm",
            help="own, embedded (no key, no tokens) or auto.",
            autocompletion=one_of("own", "embedded", "auto"),
        ),
    ] = None,
    deadline: flags.Deadline = None,
    fail_on: flags.FailOn = None,
    select: flags.Select = None,
    ignore: flags.Ignore = None,
    max_llm_calls: Annotated[
        Optional[int],  # noqa: UP045 - as above
        typer.Option("--max-llm-calls", help="At most so many calls of a paid model below the full crew."),
    ] = None,
    allow_tool: Annotated[
        Optional[list[str]],  # noqa: UP045 - as above
        typer.Option("--allow-tool", help="Let this tool change the world with invented arguments; repeatable."),
    ] = None,
    outer: Annotated[Text, typer.Option("--outer", help="The platform's own limit: 60s, 15m.")] = None,
    python: Annotated[Text, typer.Option("--python", help="The interpreter the crew runs in.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Load the crew, show the plan, run nothing.")] = False,
    include_content: Annotated[
        bool, typer.Option("--include-content", help="Keep prompts and answers in the recording.")
    ] = False,
    recording: flags.Recording = None,
    formats: flags.Formats = None,
    outputs: flags.Outputs = None,
    color: flags.Color = "auto",
    verbose: flags.Verbose = 0,
    quiet: flags.Quiet = False,
) -> None:
    """Diagnose a crew: settings, network, LLM, tools, agents, the full crew. The first cause is printed first."""
    from crewdoctor.cli import running

    given: dict[str, Any] = {
        "llm": llm,
        "deadline": deadline,
        "fail_on": fail_on,
        "select": select,
        "ignore": ignore,
        "max_llm_calls": max_llm_calls,
        "allow_tools": allow_tool,
        "outer": outer,
        "python": python,
        "dry_run": dry_run or None,
        "include_content": include_content or None,
        "inputs": running.inputs(inputs, inputs_file),
    }
    told = running.Telling(formats, outputs, color, -1 if quiet else verbose)
    raise typer.Exit(running.diagnose(target, given, recording, told))
