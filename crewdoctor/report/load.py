"""What the report shows of the crew many times at once. Pure."""

from __future__ import annotations

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.report import Load, LoadLevel
from crewdoctor.ramp import Level, ramp


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
    )


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
