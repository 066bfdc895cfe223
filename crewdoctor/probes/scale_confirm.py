"""The ramp's last level once more, with its first cause taken away: what a rule says must change is changed here.

`executor:16` gives the kickoffs so many threads, `connections:16` the models' clients so many connections, `gate:2`
lets so many kickoffs through at once. Nothing of the user's files is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, CannotProbe, Probe
from crewdoctor.model.result import StepResult
from crewdoctor.probes import _pace as pace
from crewdoctor.probes._cap import capped
from crewdoctor.probes._climb import one, prepared

PROBE = Probe("scale.confirm", Layer.CREW, "with the change the crew keeps its pace", stage=5, spends_tokens=True)

RAMP = "scale.ramp"
ROUNDS = 3
"""Times the level's longest kickoff, for which there must be time."""
WORDS = {
    "executor": "{n} threads for its kickoffs",
    "connections": "{n} connections for its models' clients",
    "gate": "at most {n} kickoffs let through at once",
}


def plan(inventory: Inventory, options: Options, results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step, where the ramp met a limit some change takes away."""
    subject = f"crew:{inventory.crew}"
    climbed = next((result for result in results if result.step.probe == RAMP), None)
    rows = climbed.facts.get("levels") if climbed is not None else None
    kind, _, size = options.change.partition(":")
    if climbed is None or not rows or kind not in WORDS or rows[-1]["n"] < 2:  # noqa: PLR2004 - nobody to wait for
        yield Skip(PROBE.id, PROBE.layer, subject, "no limit was met that a change in the worker would take away")
        return
    n = int(rows[-1]["n"])
    kickoffs = n * pace.rounds_of(n)
    made, left = climbed.llm_calls, options.max_llm_calls - sum(result.llm_calls for result in results)
    embedded = options.llm == "embedded"
    calls = 0 if embedded else -(-kickoffs * made // max(1, sum(row["started"] for row in rows)))
    if calls > max(0, left):
        yield Skip(PROBE.id, PROBE.layer, subject, f"{calls} calls of its own model are needed, {left} are left")
        return
    told = WORDS[kind].format(n=size)
    yield Step(
        f"{PROBE.id}@{subject}",
        PROBE.id,
        PROBE.layer,
        subject,
        "loaded",
        options.deadline,
        args={**climbed.step.args, "rows": [rows[0], rows[-1]], "change": options.change, "most_llm_calls": None}
        | ({} if embedded else {"most_llm_calls": calls}),
        llm_calls=calls,
        announce=f"kick off the crew {kickoffs} times, {n} at once, with {told}",
    )


def run(step: Step, bench: Bench) -> None:
    """Facts: `change levels calls`."""
    loaded, args = bench.loaded(), step.args
    base, last = args["rows"]
    if bench.remaining() < ROUNDS * float(last["longest"] or 0.0):
        raise CannotProbe("the deadline leaves too little time for it")
    url = prepared(step, bench, loaded)
    kind, _, size = str(args["change"]).partition(":")
    changed: dict[str, Any] = {}
    if kind == "executor":
        changed = {"pool": "sized", "workers": int(size)}
    elif kind == "gate":
        changed = {"gate": int(size)}
    elif not loaded.widen_pools(int(size)):
        raise CannotProbe("no client of its models has a pool that can be widened")
    bench.fact("change", args["change"])
    altered = Step(step.id, step.probe, step.layer, step.subject, step.worker, step.deadline, {**args, **changed})
    with bench.guard_writes(allowed=False, tools=args["may_write"]), capped(bench, args["most_llm_calls"]):
        row = one(int(last["n"]), [{**last, "median": base["median"]}], altered, bench, loaded, simulated=bool(url))
    bench.fact("levels", [row])
    if not url:
        bench.fact("calls", len(bench.made("llm.call")))
