"""`crewdoctor demo`: a sick crew of ours, diagnosed before your eyes, with no key and no tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from crewdoctor.cli import flags


def demo(
    folder: Annotated[
        Optional[Path],  # noqa: UP045 - Typer reads it at run time, on Python 3.10 too
        typer.Argument(help="Where to write the crew and keep it. Default: a temporary folder.", show_default=False),
    ] = None,
    recording: Annotated[
        Optional[Path],  # noqa: UP045 - as above
        typer.Option("--recording", metavar="FILE", help="Where to keep the recording. Default: a temporary file."),
    ] = None,
    formats: flags.Formats = None,
    outputs: flags.Outputs = None,
    color: flags.Color = "auto",
    verbose: flags.Verbose = 0,
    quiet: flags.Quiet = False,
) -> None:
    """Diagnose a sick crew of ours.

    Its tool waits for ever on a service that has stopped answering.
    """
    import os
    import socket
    import tempfile

    from crewdoctor import demo as project
    from crewdoctor.cli import recording_file, running
    from crewdoctor.model.refusal import Refusal

    told = running.Telling(formats, outputs, color, -1 if quiet else verbose)
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refusal(f"{folder}: is not an empty folder; give a new one")
    # Listens and never accepts: a connection is made, a request is sent, nothing ever comes back.
    with socket.create_server(("127.0.0.1", 0)) as silent, tempfile.TemporaryDirectory(prefix="crewdoctor-") as scratch:
        place = folder or Path(scratch)
        place.mkdir(exist_ok=True)
        crew = project.write(place, silent.getsockname()[1])
        os.environ["CREWAI_STORAGE_DIR"] = str(Path(scratch) / "storage")  # crewai's, else left in the user's home
        file = recording or recording_file.temporary("demo")  # whoever looks around keeps no file of ours
        raise typer.Exit(running.diagnose(running.Asked(str(crew)), {"llm": "embedded"}, file, told))
