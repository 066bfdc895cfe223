"""`crewdoctor probe-net`: names, connections, certificates and proxies of hosts; nothing is sent."""

from __future__ import annotations

from typing import Annotated

import typer

from crewdoctor.cli import flags


def probe_net(
    hosts: Annotated[list[str], typer.Argument(help="api.example.com, host:8443, or URLs.", show_default=False)],
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
    """Look at hosts: DNS, TCP, TLS, proxies.

    Nothing is sent but a handshake, and what it takes to ask a proxy. Deadline: 60s.
    """
    from crewdoctor.cli import running

    given = {"deadline": deadline, "fail_on": fail_on, "select": select, "ignore": ignore, "python": python}
    told = running.Telling(formats, outputs, color, -1 if quiet else verbose)
    asked = running.Asked("", "net", {"hosts": tuple(hosts)}, {"deadline": 60.0})
    raise typer.Exit(running.diagnose(asked, given, recording, told))
