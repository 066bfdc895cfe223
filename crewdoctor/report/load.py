"""What the report shows of the crew many times at once. Pure."""

from __future__ import annotations

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.report import Confirmed, Load, LoadLevel
from crewdoctor.ramp import CONFIRM, LARGEST, MORE, Level, Ramp, ramp

QUICKER, KEPT = 0.8, 0.8
"""Ours: share of the time a kickoff took, and of what came through, from which a change has helped."""
_WORDS = {
    "executor": "{n} threads for its kickoffs",
    "connections": "{n} connections for its models' clients",
    "gate": "at most {n} kickoffs let through at once",
}


def load(evidence: Evidence) -> Load | None:
    """Return the climb, level by level; None where there was none."""
    climbed = ramp(evidence)
    if climbed is None:
        return None
    seen = evidence.inventory.kickoffs
    kept, broken = climbed.kept()
    facts = climbed.result.facts
    return Load(
        style=str(facts.get("style") or ""),
        where=wording.place(seen.location, evidence.inventory.project_root) if seen else "",
        simulated=climbed.simulated,
        stopped_by=climbed.stopped_by,
        kept=kept,
        broken=broken,
        saturates=climbed.saturates(),
        levels=tuple(_level(evidence, each) for each in climbed.levels),
        next_limit=_next_limit(evidence, climbed),
        confirmed=_confirmed(evidence, climbed),
    )


def _confirmed(evidence: Evidence, climbed: Ramp) -> Confirmed | None:
    """The last level beside the same with the first cause taken away."""
    again = ramp(evidence, CONFIRM)
    if again is None or not again.alone.row:
        return None
    kind, _, size = str(again.result.facts.get("change") or "").partition(":")
    before, after = _level(evidence, climbed.levels[-1]), _level(evidence, again.alone)
    quicker = after.seconds is not None and before.seconds is not None and after.seconds <= QUICKER * before.seconds
    rid = after.failed + after.timeouts < before.failed + before.timeouts
    kept = after.per_second >= KEPT * before.per_second
    return Confirmed(_WORDS.get(kind, kind).format(n=size), before, after, better=(quicker or rid) and kept)


def _next_limit(evidence: Evidence, climbed: Ramp) -> str:
    """The nearest known limit nobody had to wait for in this ramp."""
    waited = {each.name for level in climbed.levels for each in level.beneath if not each.subject.startswith("tool:")}
    known: list[tuple[int, str]] = []
    if "thread.wait" not in waited and (threads := _threads(evidence, climbed)):
        known.append(threads)
    if "pool.wait" not in waited:
        for each in evidence.settings("llm", "pool.max_connections"):
            if isinstance(each.value, int):
                where = f" ({each.provenance.where})" if each.provenance.where else ""
                known.append((each.value, f"the {each.value} connections of the client of {each.subject}{where}"))
    if not known:
        return ""
    met = climbed.saturates() is not None or "thread.wait" in waited or "pool.wait" in waited
    return f"The next limit{' once that one is lifted' if met else ''} is {min(known)[1]}."


def _threads(evidence: Evidence, climbed: Ramp) -> tuple[int, str] | None:
    """The size of the pool the kickoffs run in, where one bounds them."""
    facts, cpus = climbed.result.facts, evidence.recording.header.cpus
    if facts.get("pool") == "sized" and isinstance(facts.get("workers"), int):
        return facts["workers"], f"the {facts['workers']} threads of the executor its source gives it"
    if facts.get("pool") == "default" and cpus:
        size = min(LARGEST, cpus + MORE)
        return size, f"the {size} threads of the default executor, min({LARGEST}, {cpus} cores + {MORE})"
    return None


def _level(evidence: Evidence, level: Level) -> LoadLevel:
    kickoffs = level.named("scale.kickoff")
    hurt = [each for each in level.hurt if each.name in {"llm.call", "tool.call"}]
    longest = level.row.get("longest")
    return LoadLevel(
        n=level.n,
        kickoffs=sum(each.end is not None for each in kickoffs),
        failed=sum(each.failure is not None for each in kickoffs),
        timeouts=len(hurt),
        seconds=level.pace,
        longest=float(longest) if isinstance(longest, (int, float)) else None,
        per_second=level.per_second,
        layers=_layers(evidence, level),
        busy=level.by_us,
    )


def _layers(evidence: Evidence, level: Level) -> dict[str, float]:
    """Seconds of an average kickoff, by what it was spent on."""

    def spent(name: str, *, of_tools: bool = True) -> float:
        held = [each for each in level.named(name) if of_tools or not each.subject.startswith("tool:")]
        return sum(each.seconds(evidence.end_of(each)) for each in held)

    count = len(level.named("scale.kickoff")) or 1
    parts = {"llm": spent("llm.call"), "tool": spent("tool.call"), "waiting": spent("thread.wait", of_tools=False)}
    rest = max(0.0, spent("scale.kickoff") - sum(parts.values()))
    return {name: round(seconds / count, 4) for name, seconds in {**parts, "rest": rest}.items()}
