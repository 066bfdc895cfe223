"""`crewdoctor scale`: the crew many times at once, until it no longer keeps its pace; and which limit makes it."""

from __future__ import annotations

from typing import Any

import typer

from crewdoctor.cli import flags


def scale(
    target: flags.Target = "",
    inputs: flags.Inputs = None,
    inputs_file: flags.InputsFile = None,
    style: flags.Style = None,
    max_concurrency: flags.MaxConcurrency = None,
    llm: flags.Llm = None,
    model_latency: flags.ModelLatency = None,
    max_llm_calls: flags.MaxLlmCalls = None,
    allow_tool: flags.AllowTool = None,
    confirm: flags.Confirm = False,
    load_endpoint: flags.LoadEndpoint = False,
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
    """Find how many kickoffs at once a crew stands, and what limits it.

    1, 2, 4, 8, ... of them. Unless its models are on this machine or --llm own says so, each is called once and then
    played by the embedded model, as slow as it was. Deadline: 240s.
    """
    from crewdoctor.cli import running

    given: dict[str, Any] = {
        "style": style,
        "max_concurrency": max_concurrency,
        "llm": llm,
        "model_latency": model_latency,
        "max_llm_calls": max_llm_calls,
        "allow_tools": allow_tool,
        "deadline": deadline,
        "fail_on": fail_on,
        "select": select,
        "ignore": ignore,
        "python": python,
        "dry_run": dry_run or None,
        "inputs": running.inputs(inputs, inputs_file),
    }
    known = {"confirm": confirm, "yes_load_this_endpoint": load_endpoint}
    asked = running.Asked(target, "scale", known, {"deadline": 240.0})
    told = running.Telling(formats, outputs, color, -1 if quiet else verbose)
    raise typer.Exit(running.diagnose(asked, given, recording, told))
