"""`crewdoctor diagnose`: a crew, from the ground up, to the first cause."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from crewdoctor.cli import flags


def diagnose(
    target: flags.Target = "",
    inputs: flags.Inputs = None,
    inputs_file: flags.InputsFile = None,
    llm: flags.Llm = None,
    deadline: flags.Deadline = None,
    fail_on: flags.FailOn = None,
    select: flags.Select = None,
    ignore: flags.Ignore = None,
    max_llm_calls: flags.MaxLlmCalls = None,
    allow_tool: flags.AllowTool = None,
    scale: Annotated[bool, typer.Option("--scale", help="Also run the crew many times at once.")] = False,
    style: flags.Style = None,
    max_concurrency: flags.MaxConcurrency = None,
    model_latency: flags.ModelLatency = None,
    confirm: flags.Confirm = False,
    load_endpoint: flags.LoadEndpoint = False,
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
        "style": style,
        "max_concurrency": max_concurrency,
        "model_latency": model_latency,
        "outer": outer,
        "prove": prove or None,
        "python": python,
        "dry_run": dry_run or None,
        "include_content": include_content or None,
        "inputs": running.inputs(inputs, inputs_file),
    }
    told = running.Telling(formats, outputs, color, -1 if quiet else verbose)
    asked = running.Asked(target, known={"scale": scale, "confirm": confirm, "yes_load_this_endpoint": load_endpoint})
    raise typer.Exit(running.diagnose(asked, given, recording, told))
