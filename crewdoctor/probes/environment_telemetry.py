"""CrewAI's telemetry host: one look-up and one connect, nothing is sent. Every run of a crew talks to it as it ends."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, Probe
from crewdoctor.model.result import StepResult
from crewdoctor.net.clients import proxy_choice
from crewdoctor.net.parallel import side_by_side

PROBE = Probe(id="environment.telemetry", layer=Layer.ENVIRONMENT, question="telemetry does not delay the exit")

HOST, PORT = "telemetry.crewai.com", 4319
DEADLINE = 8.0
WITHIN = 3.0
"""Seconds for the look-up, and again for the connect."""


def plan(inventory: Inventory, _options: Options, _results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step, where telemetry is on."""
    if not inventory.environment.get("telemetry_off"):
        yield Step(
            id=f"{PROBE.id}@host:{HOST}:{PORT}",
            probe=PROBE.id,
            layer=PROBE.layer,
            subject=f"host:{HOST}:{PORT}",
            worker="crew",
            deadline=DEADLINE,
            announce=f"connect to {HOST}:{PORT}, CrewAI's telemetry, send nothing",
        )


def run(step: Step, bench: Bench) -> None:  # noqa: ARG001 - there is one host
    """Facts: `via_proxy`, `outcome` (`connected refused unanswered unresolved`), `seconds`, `address`, `failure`."""
    bench.fact("via_proxy", bool(proxy_choice("requests", f"https://{HOST}:{PORT}/").proxy))
    bench.fact("outcome", "unresolved")
    found: list[tuple[int, tuple[Any, ...]]] = []
    began = time.monotonic()

    def look_up() -> None:
        try:
            held = socket.getaddrinfo(HOST, PORT, type=socket.SOCK_STREAM)
        except OSError as error:
            bench.fact("failure", bench.classify(error).kind.value)
        else:
            found.extend((family, address) for family, _, _, _, address in held)

    side_by_side([look_up], within=WITHIN)
    bench.fact("seconds", time.monotonic() - began)
    if found:
        _knock(bench, *found[0])


def _knock(bench: Bench, family: int, address: tuple[Any, ...]) -> None:
    bench.fact("address", str(address[0]))
    bench.fact("outcome", "unanswered")
    began = time.monotonic()
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(WITHIN)
        try:
            connection.connect(address)
        except TimeoutError:
            pass
        except OSError as error:
            kind = bench.classify(error).kind.value
            bench.fact("failure", kind)
            bench.fact("outcome", "refused" if kind in {"tcp.refused", "tcp.reset"} else "unanswered")
        else:
            bench.fact("outcome", "connected")
    bench.fact("seconds", time.monotonic() - began)
