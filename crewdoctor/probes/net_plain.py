"""Whether a port that is asked in plain HTTP, and failed, speaks TLS.

Asked only where the crew's own calls of it failed: a healthy server of plain HTTP is never sent a handshake.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence

from crewdoctor.model.inventory import Endpoint, Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, CannotProbe, Probe
from crewdoctor.model.reach import BYSTANDERS, not_needed
from crewdoctor.model.result import StepResult
from crewdoctor.net.handshake import Handshake, reach

PROBE = Probe(id="net.plain", layer=Layer.NETWORK, question="what is asked in plain HTTP speaks plain HTTP", stage=3)

DEADLINE = 6.0
TIMEOUT = 3.0
PLAIN = {"http", "ws"}
BAD_REQUEST = 400
"""What servers that notice answer (nginx, Go)."""
ALONE = frozenset({"llm.sdk", "tool.isolated"})
FAILED = frozenset({"failed", "output_error"})


def plan(inventory: Inventory, options: Options, results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step per endpoint of plain HTTP whose model or tool failed alone, without a proxy between."""
    for endpoint in inventory.endpoints:
        if endpoint.scheme not in PLAIN or endpoint.kind in BYSTANDERS or not_needed(endpoint, inventory, options):
            continue
        if results and not _failed(endpoint, inventory, results):
            continue
        yield Step(
            id=f"{PROBE.id}@{endpoint.subject}",
            probe=PROBE.id,
            layer=PROBE.layer,
            subject=endpoint.subject,
            worker="crew",
            deadline=DEADLINE,
            args={"host": endpoint.host, "port": endpoint.port},
            announce=f"shake hands with {endpoint.host}:{endpoint.port}; send nothing",
            condition="" if results else "its model or tool fails alone",
        )


def _failed(endpoint: Endpoint, inventory: Inventory, results: Sequence[StepResult]) -> bool:
    if any(
        each["proxy"]
        for result in results
        if result.step.probe == "net.proxy" and result.step.subject == endpoint.subject
        for each in result.facts.get("decisions") or ()
    ):
        return False
    users = {*endpoint.used_by, *(llm.subject for llm in inventory.llms if llm.endpoint == endpoint.subject)}
    return any(_sick(result) for result in results if result.step.probe in ALONE and result.step.subject in users)


def _sick(result: StepResult) -> bool:
    """Whether it ended without an answer: what hangs or is turned away for its rate speaks its protocol."""
    facts = result.facts
    if result.step.probe == "llm.sdk":
        unanswered = facts.get("answered") is False and not facts.get("hung")
        return unanswered and facts.get("status") in {None, BAD_REQUEST}
    return bool(FAILED & set(facts))


def run(step: Step, bench: Bench) -> None:
    """Facts: `tls`, the version that was agreed on, whatever certificate was shown; empty where there is no TLS."""
    host, port = str(step.args["host"]), int(step.args["port"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with reach(host, port, None, TIMEOUT) as connection:
            try:
                bench.fact("tls", Handshake(connection, host).run(context, TIMEOUT).version() or "")
            except OSError:
                bench.fact("tls", "")
    except OSError as error:
        raise CannotProbe(f"{host}:{port} takes no connection: {bench.classify(error).text}") from None
