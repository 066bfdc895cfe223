"""Rules: found by file name, explained without being run, run over Evidence."""

from __future__ import annotations

import ast
import difflib
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from crewdoctor import rules
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding
from crewdoctor.model.rule import Ignored, Rule, RuleOutcome, RuleStatus

_FILE = re.compile(r"cd\d{3}_[a-z0-9_]+")
_INLINE = re.compile(r"#\s*crewdoctor:\s*ignore\[([^\]]*)\]((?:(?!\s#\s).)*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RuleCard:
    """What is known of a rule from its source alone."""

    code: str
    slug: str
    since: str
    title: str
    """First line of its docstring."""
    text: str
    """The whole docstring: Markdown with five headings."""
    path: Path


def names() -> tuple[str, ...]:
    """Module names of all rules, sorted."""
    found = (module.name for module in pkgutil.iter_modules(rules.__path__))
    return tuple(sorted(name for name in found if _FILE.fullmatch(name)))


def cards() -> tuple[RuleCard, ...]:
    """Every rule, read from its source: no rule is imported, and `-OO` strips nothing."""
    return tuple(_card(Path(rules.__path__[0]) / f"{name}.py") for name in names())


def explain(code: str) -> RuleCard:
    """Return the card of one rule, by code or slug. Raises KeyError naming the closest ones."""
    wanted, known = code.strip(), cards()
    for card in known:
        if wanted.upper() == card.code or wanted.lower() == card.slug:
            return card
    near = [card.code for card in known if card.code.startswith(wanted.upper()[:3])]
    near = near or difflib.get_close_matches(wanted.lower(), [card.slug for card in known], n=3)
    closest = f"; close to it are {', '.join(near)}" if near and wanted else ""
    raise KeyError(f"no rule {wanted or 'without a name'}{closest}; `crewdoctor rules` lists them all")


def unknown(codes: Iterable[str]) -> tuple[str, ...]:
    """Those of `codes` (`CD301`, or `CD3` for a family) that stand for no rule at all."""
    known = [name.partition("_")[0].upper() for name in names()]
    return tuple(each for each in codes if not any(code.startswith(each.strip().upper()) for code in known))


def load() -> tuple[Rule, ...]:
    """Import every rule. Raises AttributeError where a file does not declare the function its name promises."""
    return tuple(
        getattr(importlib.import_module(f"{rules.__name__}.{name}"), name.split("_", 1)[1]) for name in names()
    )


def run(
    evidence: Evidence, *, select: tuple[str, ...] = (), ignore: tuple[str, ...] = ()
) -> tuple[tuple[Finding, ...], tuple[RuleOutcome, ...]]:
    """Run every rule; each ends in an outcome. A rule that raises is a defect of ours and says so."""
    findings: list[Finding] = []
    outcomes: list[RuleOutcome] = []
    for rule in load():
        if _left_out(rule, select, ignore):
            outcomes.append(RuleOutcome(rule.code, rule.slug, RuleStatus.IGNORED, "left out by --select or --ignore"))
            continue
        found, outcome = _one(rule, evidence)
        findings += found
        outcomes.append(outcome)
    return tuple(findings), tuple(outcomes)


def apply(rule: Rule, evidence: Evidence) -> Iterator[Finding]:
    """Run one rule on facts of its own counting: `evidence.touched` is this rule's alone afterwards."""
    evidence.touched.clear()
    yield from rule.function(evidence)


def _one(rule: Rule, evidence: Evidence) -> tuple[list[Finding], RuleOutcome]:
    missing = evidence.missing(rule.needs)
    if missing:
        reason = f"nothing was recorded for {missing.replace('|', ' or ')}"
        return [], RuleOutcome(rule.code, rule.slug, RuleStatus.NOT_APPLICABLE, reason)
    try:
        found = list(apply(rule, evidence))
    except Exception as error:  # noqa: BLE001 - law 2: a rule that raises ends as an outcome, never as a crash
        return [], RuleOutcome(rule.code, rule.slug, RuleStatus.FAILED, f"{type(error).__name__}: {error}")
    kept: list[Finding] = []
    ignored: list[Ignored] = []
    for finding in found:
        excuse = _ignored_in_source(finding)
        if excuse is None or finding.location is None:
            kept.append(finding)
        else:
            ignored.append(Ignored(finding.subject, finding.message, finding.location, excuse))
    if ignored and not kept:
        told = "ignored in source, on the line itself"
        return [], RuleOutcome(rule.code, rule.slug, RuleStatus.IGNORED, told, ignored=tuple(ignored))
    status = RuleStatus.FOUND if kept else RuleStatus.QUIET
    return kept, RuleOutcome(rule.code, rule.slug, status, findings=len(kept), ignored=tuple(ignored))


def _left_out(rule: Rule, select: tuple[str, ...], ignore: tuple[str, ...]) -> bool:
    """Whether the command line leaves a rule out; `CD3` stands for the family."""
    chosen = not select or any(rule.code.startswith(prefix.strip().upper()) for prefix in select)
    return not chosen or any(rule.code.startswith(prefix.strip().upper()) for prefix in ignore if prefix.strip())


def _ignored_in_source(finding: Finding) -> str | None:
    """The reason given where the finding's own line says that its code is ignored; None where it does not."""
    found = _INLINE.search(finding.location.source) if finding.location else None
    if found is None or finding.code not in {code.strip().upper() for code in found[1].split(",")}:
        return None
    return found[2].strip(" \t:-\N{EN DASH}\N{EM DASH}")


def _card(path: Path) -> RuleCard:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    text = ast.get_docstring(tree) or ""
    code, _, slug = path.stem.partition("_")
    return RuleCard(code.upper(), slug, _since(tree, slug), text.partition("\n")[0], text, path)


def _since(tree: ast.Module, slug: str) -> str:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == slug:
            for call in node.decorator_list:
                if isinstance(call, ast.Call):
                    for keyword in call.keywords:
                        if keyword.arg == "since" and isinstance(keyword.value, ast.Constant):
                            return str(keyword.value.value)
    return ""
