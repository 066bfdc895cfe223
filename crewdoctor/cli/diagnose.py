"""`crewdoctor diagnose`: a crew, from the ground up, to the first cause."""

from __future__ import annotations

from typing import Annotated, Any, Optional

import typer

from crewdoctor.cli import flags
from crewdoctor.cli.completing import one_of

Text = Optional[str]  # noqa: UP045 - Typer reads it at run time, on Python 3.10 too


def diagnose(
    target: flags.Target = "",
    inputs: flags.Inputs = None,
    inputs_file: flags.InputsFile = None,
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
        typer.Option(
            "--max-llm-calls",
            metavar="N",
            help="Calls of the crew's own model, at most. Default: 20. The embedded model is free.",
        ),
    ] = None,
    allow_tool: Annotated[
        Optional[list[str]],  # noqa: UP045 - as above
        typer.Option(
            "--allow-tool", metavar="NAME", help="Let this tool change the world with invented arguments; repeatable."
        ),
    ] = None,
    outer: flags.Outer = None,
    prove: flags.Prove = False,
    python: flags.Python = None,
    dry_run: flags.DryRun = False,
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
    """Find why a crew hangs: the first cause first.

    Settings, network, LLM, each tool alone, the full crew, single agents; each layer in a process of its own.
    """
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
        "prove": prove or None,
        "python": python,
        "dry_run": dry_run or None,
        "include_content": include_content or None,
        "inputs": running.inputs(inputs, inputs_file),
    }
    told = running.Telling(formats, outputs, color, -1 if quiet else verbose)
    raise typer.Exit(running.diagnose(running.Asked(target), given, recording, told))
