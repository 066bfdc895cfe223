"""`crewdoctor explain CODE`: a rule in its own words."""

from __future__ import annotations

from typing import Annotated

import typer

from crewdoctor.cli.completing import rule


def explain(
    code: Annotated[
        str,
        typer.Argument(help="CD301, or tool_without_timeout.", show_default=False, autocompletion=rule),
    ],
) -> None:
    """Explain a finding.

    What is compared, why it matters, how to fix it.
    """
    from crewdoctor import rulebook
    from crewdoctor.model.refusal import Refusal

    try:
        card = rulebook.explain(code)
    except KeyError as error:
        raise Refusal(str(error.args[0])) from None
    typer.echo(f"{card.code} {card.slug} (since {card.since})\n\n{card.text}")
