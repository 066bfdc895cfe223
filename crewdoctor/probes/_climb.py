"""From one level of the ramp to the next, as long as that tells more. No probe."""

from __future__ import annotations

import time
from typing import Any

from crewdoctor.model.layer import Layer
from crewdoctor.model.locality import is_local
from crewdoctor.model.plan import Step
from crewdoctor.model.probe import Bench, LoadedCrew
from crewdoctor.probes import _pace as pace
from crewdoctor.probes._consequences import forgive_guardrails, unattended, without_consequences
from crewdoctor.probes._level import Level
from crewdoctor.probes._level import run as run_level

SHORTEST = 8.0
"""Seconds left below which no level is begun."""
PATIENCE, TIMES = 10.0, 5.0
"""Seconds, and times what the level was expected to take, after which a level is not waited for any longer."""
NAP = 2.0
"""Seconds of a sleep for `max_rpm` that are waited for."""
ALONE_AT_MOST = 0.6
"""Share of the step the crew may take alone."""


def prepared(step: Step, bench: Bench, loaded: LoadedCrew) -> str:
    """Put the embedded model under the crew where the step names one (its URL is returned), and consequences away."""
    url = str(step.args.get("embedded_base_url") or "")
    left_out = unattended(loaded.crew)
    if url:
        bench.fact("replaced", loaded.use_embedded(url))
    bench.fact("left_out", left_out + without_consequences(loaded.crew))
    return url


def climb(step: Step, bench: Bench, loaded: LoadedCrew, *, simulated: bool) -> None:
    """Run levels while another one tells more. Facts: `levels stopped_at stopped_by`."""
    rows: list[dict[str, Any]] = []
    levels: list[int] = step.args["levels"]
    for n in levels:
        if reason := _not_begun(n, rows, step, bench):
            bench.fact("stopped_by", reason)
            return
        rows.append(one(n, rows, step, bench, loaded, simulated=simulated))
        bench.fact("levels", rows)
        if reason := pace.stop_after(rows):
            bench.fact("stopped_at", n)
            bench.fact("stopped_by", reason)
            return
    bench.fact("stopped_by", "max-concurrency")


def _not_begun(n: int, rows: list[dict[str, Any]], step: Step, bench: Bench) -> str:
    """Why the next level is not begun; empty: it is."""
    if not rows:
        return ""
    last, kickoffs = rows[-1], n * pace.rounds_of(n)
    needed = (last["longest"] or 0.0) * (pace.rounds_of(n) + 1)
    if bench.remaining() < max(SHORTEST, needed):
        return "deadline"
    cap = step.args["most_llm_calls"]
    if cap is not None:
        made = len(bench.made("llm.call"))
        if made + kickoffs * made / max(1, sum(row["started"] for row in rows)) > cap:
            return "max-llm-calls"
    unasked = step.args["unasked"]
    peers = {str(attrs.get("address") or attrs.get("host") or "") for attrs, _ in bench.made("tcp.connect")}
    if unasked is not None and n > unasked and not all(is_local(peer) for peer in peers):
        return "endpoint"
    return ""


def one(
    n: int, rows: list[dict[str, Any]], step: Step, bench: Bench, loaded: LoadedCrew, *, simulated: bool
) -> dict[str, Any]:
    """Run one level, given the figures of those before it; its own."""
    rounds, args = pace.rounds_of(n), step.args
    before = rows[-1]["longest"] if rows else None
    patience = max(PATIENCE, TIMES * before * rounds) if before else bench.remaining() * ALONE_AT_MOST
    level = Level(
        n=n,
        rounds=rounds,
        spread=(rows[0]["median"] or 0.0) if rows else 0.0,
        style=args["style"],
        pool=args["pool"],
        workers=args["workers"],
        gate=int(args.get("gate") or 0),
        inputs=loaded.inputs,
        subject=step.subject,
        simulated=simulated,
    )
    copies = [[_copy(loaded, bench) for _ in range(rounds)] for _ in range(n)]
    failed = _failed_requests(bench)
    with bench.span(
        "scale.level", subject=step.subject, layer=Layer.CREW, n=n, style=args["style"], simulated=simulated
    ) as span:
        began, cpu = time.monotonic(), time.process_time()
        until = min(began + patience, began + bench.remaining() - 2.0)
        run_level(bench, level, copies, lambda: time.monotonic() >= until or _asleep(level, bench), span.id)
        ended, cpu = time.monotonic(), time.process_time() - cpu
        row = pace.row(level, began, ended, cpu, _failed_requests(bench) - failed)
        span.note(cores=row["cores"], lag=row["lag"], late=row["late"], complete=level.complete)
    return row


def _copy(loaded: LoadedCrew, bench: Bench) -> Any:
    """What `kickoff_for_each` makes for each of its inputs; with nothing done with its results."""
    copied = loaded.crew.copy()
    without_consequences(copied)
    forgive_guardrails(copied, bench.blocked)
    return copied


def _asleep(level: Level, bench: Bench) -> bool:
    """Whether `max_rpm` has put a kickoff to sleep: it will be a whole minute, which need not be waited for."""
    if not bench.made("limiter.sleep"):
        return False
    level.asleep = level.asleep or time.monotonic()
    return time.monotonic() - level.asleep >= NAP


def _failed_requests(bench: Bench) -> int:
    return sum(failure is not None for _, failure in bench.made("http.request"))
