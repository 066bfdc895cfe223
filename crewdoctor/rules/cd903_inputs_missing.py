"""The crew asks for inputs nobody gave.

## What it compares
The placeholders in the texts of agents and tasks (`{topic}`) with the inputs that were given on the command line, in
the configuration, or by the crew's own kickoff.

## Why it matters
crewAI raises as soon as it fills in the first text, or sends the braces to the model. A diagnosis with made-up inputs
would measure another crew.

## Example
`description: Research {topic} in {country}` and `--inputs '{"topic": "hydrogen"}'`: country is missing.

## How to fix
Give them: `--inputs '{"topic": "...", "country": "..."}'`, `--inputs-file`, or `[tool.crewdoctor.inputs]`.

## References
- crewAI documentation, "Crews", inputs of kickoff; `crew.fetch_inputs()`
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule


@rule("CD903", since="0.1", needs=("inventory", "results"))
def inputs_missing(evidence: Evidence) -> Iterator[Finding]:
    """One finding that names every missing input."""
    inventory = evidence.inventory
    options = evidence.recording.header.options
    given = {*inventory.inputs_given, *options.inputs}
    missing = [name for name in inventory.inputs_required if name not in given]
    if not missing:
        return
    first = evidence.all_results()[0]
    example = json.dumps(dict.fromkeys(inventory.inputs_required, "..."))
    yield Finding(
        code="CD903",
        slug="inputs_missing",
        severity=Severity.ERROR,
        layer=Layer.SETTINGS,
        subject=f"crew:{inventory.crew}",
        message=(
            f"The crew asks for {wording.joined([f'`{name}`' for name in missing])}, and nobody gave "
            f"{'it' if len(missing) == 1 else 'them'}: the crew was not run."
        ),
        evidence=(f"step:{first.step.id}",),
        fix=Fix("Give the inputs", f"{options.command(inventory.target or 'crew.py')} --inputs '{example}'", "sh"),
    )
