"""`crewdoctor probe-llm`: is it my key, the model or my network? One call, phase by phase."""

from __future__ import annotations

from typing import Annotated

import typer

from crewdoctor.cli import flags


def probe_llm(
    model: Annotated[
        flags.Text, typer.Option("--model", help="As crewai names it. Default: MODEL, else crewai's own default.")
    ] = None,
    base_url: Annotated[
        flags.Text, typer.Option("--base-url", help="Default: OPENAI_BASE_URL, else the provider's.")
    ] = None,
    key_env: Annotated[
        flags.Text, typer.Option("--key-env", help="The variable that holds the key. Default: OPENAI_API_KEY.")
    ] = None,
    deadline: flags.Deadline = None,
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
    """Tell key, model and network trouble apart.

    One call through its provider's SDK, as a crew here would make it; no crew is loaded. Deadline: 60s.
    """
    from crewdoctor.cli import running

    given = {"deadline": deadline, "fail_on": fail_on, "select": select, "ignore": ignore, "python": python}
    named = {"name": model or "", "base_url": base_url or "", "key_variable": key_env or ""}
    asked = running.Asked(
        "", "llm", {"model": {name: each for name, each in named.items() if each}}, {"deadline": 60.0}
    )
    told = running.Telling(formats, outputs, color, -1 if quiet else verbose)
    raise typer.Exit(running.diagnose(asked, given, recording, told))
