"""The protocol of a rule, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from crewdoctor.model.setting import Location

if TYPE_CHECKING:
    from crewdoctor.model.evidence import Evidence
    from crewdoctor.model.finding import Finding

RuleFunction = Callable[["Evidence"], "Iterator[Finding]"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as discovered: its function and what it declared."""

    code: str
    slug: str
    since: str
    needs: tuple[str, ...]
    """Keys of evidence it cannot do without: `span:<name>`, `setting:<scope>.<name>`, `result:<probe id>`, `inventory`,
    `ledger`, `stacks`, `events:<name>`, `program` (one that recorded itself); `a|b`: one of them. Missing one: the rule
    is not applicable, and the report says which."""
    uses: tuple[str, ...]
    """Keys it also reads when they are there."""
    function: RuleFunction


def rule(
    code: str, *, since: str, needs: tuple[str, ...], uses: tuple[str, ...] = ()
) -> Callable[[RuleFunction], Rule]:
    """Declare the function of a rule file."""

    def declare(function: RuleFunction) -> Rule:
        return Rule(code, function.__name__, since, needs, uses, function)

    return declare


class RuleStatus(str, Enum):
    """How a rule ended."""

    FOUND = "found"
    QUIET = "quiet"
    NOT_APPLICABLE = "not applicable"
    """An input it needs is missing."""
    FAILED = "failed"
    """The rule itself raised: a defect of crewdoctor, reported, never hidden."""
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Ignored:
    """One finding that `# crewdoctor: ignore[CODE] reason` on its own line of source keeps out of the findings."""

    subject: str
    message: str
    location: Location
    reason: str = ""
    """As written after the bracket; empty where nobody gave one."""


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What became of one rule."""

    code: str
    slug: str
    status: RuleStatus
    reason: str = ""
    findings: int = 0
    ignored: tuple[Ignored, ...] = ()
    """Its findings ignored in source: never counted, never invisible."""
