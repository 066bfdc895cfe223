"""`crewdoctor hook-path`: the folder that makes a program record itself, for images with a fixed command."""

from __future__ import annotations

import typer


def hook_path() -> None:
    """Print the folder for PYTHONPATH that lets a program record itself.

    It holds one `sitecustomize.py`, which does nothing unless CREWDOCTOR_RECORD names a file (or a folder) to record
    to, and makes way for a `sitecustomize` of your own.
    """
    from crewdoctor.supervisor.program import HOOK

    typer.echo(HOOK)
