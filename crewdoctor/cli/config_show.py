"""`crewdoctor config show`: the options in force, and where each was set."""

from __future__ import annotations

from typing import Annotated

import typer

config = typer.Typer(help="What crewdoctor itself is told to do.", no_args_is_help=True, rich_markup_mode=None)


@config.callback()
def _group() -> None:
    """Keep `show` a command of its own."""


@config.command()
def show(
    target: Annotated[str, typer.Argument(help="The config file is looked for from its folder upwards.")] = "",
) -> None:
    """Show every option with its value and its origin."""
    from dataclasses import fields

    from crewdoctor.cli import running
    from crewdoctor.config import CONFIGURABLE
    from crewdoctor.wire.redact import redact

    configured = running.options(running.Asked(target), {}, 0)
    for warning in configured.warnings:
        typer.echo(f"crewdoctor: {warning}", err=True)
    names = [each.name for each in fields(configured.options) if each.name in CONFIGURABLE]
    width = max(map(len, names))
    for name in names:
        origin = configured.origins.get(name, "default")
        typer.echo(f"{name:<{width}}  {redact(str(getattr(configured.options, name)))}  ({origin})")
