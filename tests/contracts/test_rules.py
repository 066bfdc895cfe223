"""What holds for every rule, written once."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from crewdoctor import budget, rulebook
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Quantity, Severity
from crewdoctor.model.recording import Recording
from crewdoctor.model.rule import Rule, RuleStatus
from crewdoctor.wire.recording import read_recording

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT / "fixtures" / "recordings"
HEADINGS = ["What it compares", "Why it matters", "Example", "How to fix", "References"]
FAMILIES = "123456789"

RULES = rulebook.load()
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)


@cache
def recording(rule: Rule, kind: str) -> Recording:
    path = RECORDINGS / f"{rule.code.lower()}_{kind}" / "recording.jsonl"
    assert path.exists(), f"{rule.code} needs a recording where it is {kind}: {path.relative_to(ROOT)}"
    return read_recording(path)


def evidence(rule: Rule, kind: str) -> Evidence:
    held = recording(rule, kind)
    return Evidence(held, budget.ledger_of(held))


def findings(rule: Rule, kind: str) -> list[Finding]:
    return list(rulebook.apply(rule, evidence(rule, kind)))


def known_ids(held: Recording) -> set[str]:
    inventory = held.inventory
    return (
        {span.id for span in (*held.spans, *held.experiments.spans)}
        | {stack.id for stack in held.stacks}
        | {event.id for event in held.events}
        | {f"step:{result.step.id}" for result in held.results}
        | {setting.id for setting in (inventory.settings if inventory else ())}
        | {budget.scan_id(entry) for entry in (inventory.scan if inventory else ())}
    )


def numbers(quantity: Quantity | None) -> list[Quantity]:
    return [quantity] if quantity is not None else []


@each_rule
def test_code_slug_file_and_function_agree(rule):
    path = Path(rule.function.__code__.co_filename)

    assert path.stem == f"{rule.code.lower()}_{rule.slug}"
    assert rule.code[:2] == "CD"
    assert rule.code[2] in FAMILIES
    assert re.fullmatch(r"\d+\.\d+", rule.since)


def test_codes_are_unique():
    codes = [rule.code for rule in RULES]

    assert len(set(codes)) == len(codes) > 0


@each_rule
def test_its_docstring_is_a_page_with_five_headings(rule):
    card = rulebook.explain(rule.code)

    assert re.findall(r"^## (.+)$", card.text, re.MULTILINE) == HEADINGS
    sections = re.split(r"^## .+$", card.text, flags=re.MULTILINE)
    assert all(section.strip() for section in sections)
    assert card.title.endswith(".")
    assert card.since == rule.since


@each_rule
def test_its_file_is_short_and_imports_no_other_rule(rule):
    source = Path(rule.function.__code__.co_filename).read_text(encoding="utf-8")
    imported = [node.module or "" for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]

    assert len(source.splitlines()) <= 150
    assert not [name for name in imported if name.startswith(("crewdoctor.rules", "crewdoctor.probes"))]


@each_rule
def test_it_fires_on_its_recording(rule):
    found = findings(rule, "fires")

    assert found
    assert {finding.code for finding in found} == {rule.code}
    assert {finding.slug for finding in found} == {rule.slug}


@each_rule
def test_it_stays_quiet_on_its_healthy_twin(rule):
    assert not evidence(rule, "quiet").missing(rule.needs)
    assert findings(rule, "quiet") == []


@each_rule
def test_it_touches_what_it_declares(rule):
    touched: set[str] = set()
    for kind in ("fires", "quiet"):
        held = evidence(rule, kind)
        list(rulebook.apply(rule, held))
        touched |= held.touched

    alternatives = {key for key in rule.needs if "|" in key}
    declared = {*rule.needs, *rule.uses} - alternatives
    assert touched == declared
    assert {each for key in alternatives for each in key.split("|")} <= {*declared, "program"}


@each_rule
def test_what_its_findings_stand_on_is_in_the_recording(rule):
    known = known_ids(recording(rule, "fires"))

    for finding in findings(rule, "fires"):
        assert finding.evidence
        assert set(finding.evidence) <= known
        assert len(set(finding.evidence)) == len(finding.evidence)


@each_rule
def test_two_numbers_or_none(rule):
    for finding in findings(rule, "fires"):
        assert (finding.measured is None) == (finding.limit is None)
        if finding.severity is not Severity.INFO:
            assert finding.fix is not None


@each_rule
def test_its_sentences_are_fit_to_print(rule):
    for finding in findings(rule, "fires"):
        assert finding.message == " ".join(finding.message.split())
        assert finding.message.endswith((".", "!"))
        assert not re.search(r"\b(None|Seconds\(|Bound\.|<[a-z]+ object)", finding.message)
        assert finding.lost >= 0


@each_rule
def test_it_says_the_same_twice(rule):
    assert findings(rule, "fires") == findings(rule, "fires")


def test_every_rule_has_an_outcome_on_every_recording():
    for path in sorted(RECORDINGS.glob("*/recording.jsonl")):
        held = read_recording(path)
        _, outcomes = rulebook.run(Evidence(held, budget.ledger_of(held)))

        assert [outcome.code for outcome in outcomes] == [rule.code for rule in RULES]
        assert [outcome for outcome in outcomes if outcome.status is RuleStatus.FAILED] == []


def test_a_rule_that_raises_is_reported_and_stops_nobody(monkeypatch):
    def broken(_evidence):
        raise ZeroDivisionError("no span")
        yield

    bad = Rule("CD999", "broken", "0.1", (), (), broken)
    monkeypatch.setattr(rulebook, "load", lambda: (bad, *RULES))
    held = recording(next(rule for rule in RULES if rule.code == "CD304"), "fires")
    found, outcomes = rulebook.run(Evidence(held, budget.ledger_of(held)))

    assert outcomes[0].status is RuleStatus.FAILED
    assert outcomes[0].reason == "ZeroDivisionError: no span"
    assert "CD304" in {finding.code for finding in found}


def test_select_and_ignore_take_codes_and_families():
    held = recording(next(rule for rule in RULES if rule.code == "CD304"), "fires")
    found, outcomes = rulebook.run(Evidence(held, budget.ledger_of(held)), select=("CD3",), ignore=("CD301",))

    assert {finding.code for finding in found} == {"CD304"}
    ignored = {outcome.code for outcome in outcomes if outcome.status is RuleStatus.IGNORED}
    assert ignored == {rule.code for rule in RULES if not rule.code.startswith("CD3")} | {"CD301"}


def test_unknown_codes_are_answered_with_near_ones():
    with pytest.raises(KeyError, match="CD304"):
        rulebook.explain("CD399")
