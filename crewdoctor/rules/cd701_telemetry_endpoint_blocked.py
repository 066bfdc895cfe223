"""CrewAI's telemetry cannot be delivered from here, and every run of the crew waits for it at its end.

## What it compares
One look-up and one connect of telemetry.crewai.com:4319, made where the crew runs, with the variables in force: it is
silent where one of them switches telemetry off, or where a proxy is in between. The delays are those measured with
crewai 1.15: a name that does not resolve 10 s, a refusal 11 s, packets dropped 30 s. A warning where this very host is
blocked; where nothing outside was reached at all, a note: the machine is offline, and the delay is the same. In the
recording of a program (`crewdoctor run`) the delay itself is measured: from its last line to the last attempt.

## Why it matters
The crew has its answer, and the process does not end: in a container that is half a minute of every run, in a job
queue a worker held for nothing.

## Example
telemetry.crewai.com:4319 did not answer within 3.0 s: `python crew.py` ends about 30 s late.

## How to fix
Switch it off (`CREWAI_DISABLE_TELEMETRY=true`), or allow egress to telemetry.crewai.com:4319.

## References
- crewAI `telemetry/telemetry.py`: OTLP over HTTP, timeout 30 s, flushed at exit
- crewAI documentation, "Telemetry"
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.exits import EXIT_KEYS, TELEMETRY, Exit, exits
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.result import StepResult
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds

DELAYS = {"unresolved": 10.0, "refused": 11.0, "unanswered": 30.0}
"""Seconds between the crew's end and the process's (crewai 1.15.30, measured)."""
EXPORT_TIMEOUT = 30.0
NOTABLE = 2.0
"""Ours: seconds of a measured end."""
MOST = 0.5
"""Of a measured end, that went there."""


@rule(
    "CD701",
    since="0.1",
    needs=("result:environment.telemetry|span:process.exit",),
    uses=("result:environment.telemetry", "span:tcp.connect", "inventory", *EXIT_KEYS),
)
def telemetry_endpoint_blocked(evidence: Evidence) -> Iterator[Finding]:
    """One finding; of a recorded program, one per process it delayed."""
    for each in exits(evidence):
        if each.until(TELEMETRY) >= NOTABLE and each.until(TELEMETRY) >= MOST * each.seconds:
            yield _measured(evidence, each)
    for result in evidence.results("environment.telemetry"):
        delay = DELAYS.get(str(result.facts.get("outcome")), 0.0)
        if delay and not result.facts.get("via_proxy"):
            yield _finding(evidence, result, delay)


def _measured(evidence: Evidence, ending: Exit) -> Finding:
    failed = [each for each in ending.hosts[TELEMETRY] if each.failure is not None or each.open]
    kinds = sorted({each.failure.kind.value for each in failed if each.failure is not None}) or ["still waiting"]
    spent = ending.until(TELEMETRY)
    return Finding(
        code="CD701",
        slug="telemetry_endpoint_blocked",
        severity=Severity.WARNING if _elsewhere(evidence) else Severity.INFO,
        layer=Layer.ENVIRONMENT,
        subject=f"host:{TELEMETRY}",
        message=(
            f"The program's last line was done after {wording.seconds(ending.span.start)}, and its process ended "
            f"{wording.seconds(ending.seconds)} later: {wording.seconds(spent)} of it trying to deliver CrewAI's "
            f"telemetry to {TELEMETRY} ({', '.join(kinds)}, {wording.plural(len(failed), 'operation')}; "
            f"span {ending.span.id})."
        ),
        evidence=(ending.span.id, *(each.id for each in failed)),
        measured=Quantity("exit", Seconds(round(spent, 3)), n=1),
        limit=Quantity("an end that nobody notices", Seconds(NOTABLE), where="crewdoctor"),
        fix=Fix("Switch telemetry off, or allow egress to it", "export CREWAI_DISABLE_TELEMETRY=true", "sh"),
        lost=spent,
        host=TELEMETRY,
    )


def _finding(evidence: Evidence, result: StepResult, delay: float) -> Finding:
    facts = result.facts
    address = result.step.subject.removeprefix("host:")
    seconds = float(facts.get("seconds") or 0.0)
    elsewhere = _elsewhere(evidence)
    alone = facts["outcome"] != "unresolved" or elsewhere
    what = {
        "unresolved": "does not resolve",
        "refused": f"refuses ({facts.get('address')})",
        "unanswered": f"did not answer within {wording.seconds(seconds)} ({facts.get('address')})",
    }[str(facts["outcome"])]
    offline = "" if alone else " (nothing outside this machine was reached)"
    version = evidence.inventory.versions.get("crewai", "")
    return Finding(
        code="CD701",
        slug="telemetry_endpoint_blocked",
        severity=Severity.WARNING if alone else Severity.INFO,
        layer=Layer.ENVIRONMENT,
        subject=result.step.subject,
        message=(
            f"CrewAI's telemetry host {address} {what}{offline}: outside crewdoctor this crew's process ends about "
            f"{wording.exact(delay)} late, its answer ready (crewai{f' {version}' if version else ''})."
        ),
        evidence=(f"step:{result.step.id}",),
        measured=Quantity("connect", Seconds(round(seconds, 3)), n=1) if facts["outcome"] == "unanswered" else None,
        limit=Quantity("export timeout", Seconds(EXPORT_TIMEOUT), where="crewai")
        if facts["outcome"] == "unanswered"
        else None,
        fix=Fix("Switch telemetry off, or allow egress to it", "export CREWAI_DISABLE_TELEMETRY=true", "sh"),
        host=address,
        observed=False,
    )


def _elsewhere(evidence: Evidence) -> bool:
    """Whether anything outside this site was reached: then it is this host that is blocked."""
    return any(
        span.failure is None and span.end is not None and _public(str(span.attrs.get("address") or ""))
        for span in evidence.spans("tcp.connect")
    )


def _public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False
