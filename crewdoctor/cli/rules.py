"""`crewdoctor rules`: what crewdoctor can say."""

from __future__ import annotations

import typer


def rules() -> None:
    """List every rule."""
    from crewdoctor import rulebook

    cards = rulebook.cards()
    width = max((len(card.slug) for card in cards), default=0)
    for card in cards:
        typer.echo(f"{card.code}  {card.slug:<{width}}  {card.title}")
