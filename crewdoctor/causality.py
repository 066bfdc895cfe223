"""Which finding explains which. The first root printed is the cause; what it explains is folded beneath it.

Knows no rule by code. A explains B only by structure:

1. *inside*: spans of A's evidence lie inside spans of B's, who is somebody else, and account for what B saw: half of
   its time, or both are still open, or both failed;
2. *narrower*: same subject, and B's spans are a proper part of A's;
3. *beneath*: B says that it depends on A's subject, or on an endpoint whose clients take the proxy A is about; or A
   is about the very host B was waiting for; or the inventory says so (tool on host, agent on model and tools, crew on
   agents) and A cost what B cost: a port that refuses in a millisecond does not explain a minute;
4. *setting*: both name one setting, of which A saw the effect and B did not;
5. *part*: A is graver, and what B says of its subject's call is a part of what A tells: both name that span.

What was not observed explains nothing that was, and nothing explains what is graver than itself. What is foretold and
cost nothing depends only on what it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from crewdoctor.model.finding import Finding, Severity
from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.recording import Recording
from crewdoctor.model.span import Span

SHARE = 0.5
"""Of a span's time, which inner spans must account for before they explain it."""


def order(findings: Iterable[Finding], recording: Recording) -> tuple[Finding, ...]:
    """Roots first, the gravest and costliest first, what they explain folded; infos last, as they are."""
    held = sorted(dict.fromkeys(_Keyed(finding) for finding in findings), key=lambda each: each.key)
    infos = [each.finding for each in held if each.finding.severity is Severity.INFO]
    accused = [each.finding for each in held if each.finding.severity is not Severity.INFO]
    above = _forest(accused, _Structure(recording))
    roots = [index for index in range(len(accused)) if index not in above]
    folded: dict[int, list[Finding]] = {root: [] for root in roots}
    for index in range(len(accused)):
        if index in above:
            folded[_root(index, above)].append(accused[index])
    return (*(replace(accused[root], explained=tuple(folded[root])) for root in roots), *infos)


@dataclass(frozen=True, slots=True, eq=False)
class _Keyed:
    finding: Finding

    @property
    def key(self) -> tuple[int, bool, float, int, str, str, str]:
        """Gravest first, observed before latent, costliest, lowest layer; the rest only makes the order total."""
        finding = self.finding
        return (
            finding.severity.rank,
            not finding.observed,
            -finding.lost,
            finding.layer.rank,
            finding.code,
            finding.subject,
            finding.message,
        )


def _forest(findings: Sequence[Finding], structure: _Structure) -> dict[int, int]:
    """Index → index of what explains it. Findings come in order of rank, so the best explainer is tried first.

    Two that explain each other: the one of higher rank stays above. A ring is never closed.
    """
    above: dict[int, int] = {}
    for low in reversed(range(len(findings))):
        for high in range(len(findings)):
            if high == low or not structure.explains(findings[high], findings[low]):
                continue
            mutual = structure.explains(findings[low], findings[high])
            if (mutual and high > low) or _root(high, above) == low:
                continue
            above[low] = high
            break
    return above


def _root(index: int, above: dict[int, int]) -> int:
    while index in above:
        index = above[index]
    return index


class _Structure:
    """What the recording says about who lies inside whom, and who depends on whom."""

    def __init__(self, recording: Recording) -> None:
        self.spans = {span.id: span for span in recording.spans}
        self.ends = {result.step.id: result.end for result in recording.results}
        self.end = recording.end
        self.needs = _dependencies(recording.inventory)
        self.proxies = _proxies(recording)

    def explains(self, cause: Finding, effect: Finding) -> bool:
        if effect.observed and not cause.observed:
            return False
        if cause.severity.rank > effect.severity.rank:
            return False
        return (
            self._beneath(cause, effect)
            or self._inside(cause, effect)
            or self._narrower(cause, effect)
            or _same_setting(cause, effect)
            or self._part(cause, effect)
        )

    def _beneath(self, cause: Finding, effect: Finding) -> bool:
        if any(cause.subject in {each, *self.proxies.get(each, ())} for each in effect.depends_on):
            return True
        apart = cause.subject != effect.subject
        cost = effect.observed or effect.lost > 0  # what is only foretold, and cost nothing, nobody's cost explains
        if apart and cost and cause.lost >= SHARE * effect.lost and cause.subject in self._closure(effect.subject):
            return True
        of_host = bool(effect.host) and cause.layer is Layer.NETWORK and cause.subject == f"host:{effect.host}"
        return of_host and apart

    def _closure(self, subject: str) -> set[str]:
        known: set[str] = set()
        waiting = [subject]
        while waiting:
            for needed in self.needs.get(waiting.pop(), ()):
                if needed not in known:
                    known.add(needed)
                    waiting.append(needed)
        return known

    def _inside(self, cause: Finding, effect: Finding) -> bool:
        if cause.subject == effect.subject:
            return False  # what one subject shows of itself twice is told apart by `_narrower`
        inner, outer = self._spans(cause), self._spans(effect)
        within = {id(span): [each for each in inner if self._contains(span, each)] for span in outer}
        return any(within[id(span)] and self._accounts(within[id(span)], span) for span in outer)

    def _accounts(self, inner: Sequence[Span], outer: Span) -> bool:
        if outer.open and any(span.open for span in inner):
            return True
        if outer.failure is not None and any(span.failure is not None for span in inner):
            return True
        spent = sum(self._until(span) - span.start for span in inner)
        return spent >= SHARE * (self._until(outer) - outer.start) > 0

    def _contains(self, outer: Span, inner: Span) -> bool:
        seen: set[str] = set()
        parent = inner.parent
        while parent is not None and parent not in seen:
            if parent == outer.id:
                return True
            seen.add(parent)
            above = self.spans.get(parent)
            parent = above.parent if above else None
        return False

    def _narrower(self, cause: Finding, effect: Finding) -> bool:
        mine = {span.id for span in self._spans(cause)}
        theirs = {span.id for span in self._spans(effect)}
        return cause.subject == effect.subject and bool(theirs) and theirs < mine

    def _part(self, cause: Finding, effect: Finding) -> bool:
        shared = set(cause.evidence) & {span.id for span in self._spans(effect) if span.subject == effect.subject}
        return bool(shared) and cause.severity.rank < effect.severity.rank

    def _spans(self, finding: Finding) -> list[Span]:
        return [self.spans[each] for each in finding.evidence if each in self.spans]

    def _until(self, span: Span) -> float:
        return span.end if span.end is not None else self.ends.get(span.step, self.end)


def _same_setting(cause: Finding, effect: Finding) -> bool:
    """Observed over latent, where both name one setting; or one subject that was seen and foretold."""
    if not cause.observed or effect.observed:
        return False
    shared = {each for each in cause.evidence if each.startswith("setting:")} & set(effect.evidence)
    return bool(shared) or cause.subject == effect.subject


def _proxies(recording: Recording) -> dict[str, set[str]]:
    """Endpoint → the proxies its clients were seen to choose for it: who depends on the one depends on the other."""
    chosen: dict[str, set[str]] = {}
    for result in recording.results:
        for decision in result.facts.get("decisions") or ():
            if isinstance(decision, dict) and decision.get("subject"):
                chosen.setdefault(result.step.subject, set()).add(str(decision["subject"]))
    return chosen


def _dependencies(inventory: Inventory | None) -> dict[str, set[str]]:
    needs: dict[str, set[str]] = {}
    if inventory is None:
        return needs
    for agent in inventory.agents:
        needs.setdefault(agent.subject, set()).update({agent.llm, *agent.tools} - {""})
    for task in inventory.tasks:
        needs.setdefault(task.subject, set()).update({task.agent, *task.tools} - {""})
        needs.setdefault(f"crew:{inventory.crew}", set()).add(task.subject)
    for tool in inventory.tools:
        needs.setdefault(tool.subject, set()).update(tool.endpoints)
    for llm in inventory.llms:
        needs.setdefault(llm.subject, set()).update({llm.endpoint} - {""})
    for endpoint in inventory.endpoints:
        for user in endpoint.used_by:
            needs.setdefault(user, set()).add(endpoint.subject)
    return needs
