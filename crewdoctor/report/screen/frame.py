"""What stands around the findings: the head, notes, what was not examined, and what the exit code means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crewdoctor import wording
from crewdoctor.model.layer import Layer
from crewdoctor.model.refusal import USAGE
from crewdoctor.model.report import Report
from crewdoctor.model.rule import RuleStatus
from crewdoctor.report.exit_code import HEALTHY, meaning
from crewdoctor.report.screen.brief import short, some
from crewdoctor.report.screen.line import BLANK, SIMULATED, Line, heading, line

_SHOWN_VERSIONS = ("crewai", "crewai-tools", "openai", "httpx")
_FEW = 4
_FEW_NOTES = 2
EXPOSED = frozenset({Layer.LLM, Layer.TOOL, Layer.AGENT, Layer.CREW})
"""Layers whose notes speak of settings nobody wrote: together they are one line."""

_MEGABYTE = 1e6


def head(report: Report) -> Iterator[Line]:
    """Target, crew, versions, and whose model answered."""
    facts = report.environment
    crew = f"  crew {report.crew}" if report.crew else ""
    size = ", ".join(
        wording.plural(facts[name], name[:-1])
        for name in ("agents", "tasks", "tools")
        if isinstance(facts.get(name), int) and report.crew
    )
    yield line(
        (f"crewdoctor {report.crewdoctor}", "bold"),
        (f"  {_within(report.target, str(facts.get('project_root', '')))}", "bold"),
        crew,
        (f"  {size}" if size else "", "dim"),
        hang=2,
    )
    versions = facts.get("versions") or {}
    told = [f"{name} {versions[name]}" for name in _SHOWN_VERSIONS if name in versions]
    python = facts.get("crew_python")  # where nothing loaded, ours would be taken for the crew's
    told += [f"python {python}"] if python else []
    if told:
        yield line((", ".join(told), "dim"), hang=2)
    yield from _models(report, facts.get("models") or [])
    if report.inputs:
        sources = dict.fromkeys(each.source for each in report.inputs)
        told = [
            f"{', '.join(each.name for each in report.inputs if each.source == source)} ({source})"
            for source in sources
        ]
        yield line(("inputs: ", "dim"), "; ".join(told), hang=2)


def _within(target: str, root: str) -> str:
    return target[len(root) + 1 :] if root and target.startswith(f"{root}/") else target


def _models(report: Report, models: list[dict[str, Any]]) -> Iterator[Line]:
    own = dict.fromkeys(f"{each['model']} ({each['provider']})" for each in models if not each["simulated"])
    if own:
        called = "own" if report.exit_code != USAGE else "not called"
        yield line((f"LLM {called}: ", "dim"), ", ".join(own), hang=2)
    if report.simulated:
        replaced = dict.fromkeys(each["model"] for each in models if each["simulated"])
        keyless = dict.fromkeys(each["model"] for each in models if each.get("usable_key") is False)
        want = f" (no usable key for {', '.join(keyless)})" if len(keyless) < len(replaced) and keyless else ""
        yield line(
            (f"LLM {SIMULATED}: ", "bold magenta"),
            f"the embedded endpoint answers in place of {', '.join(replaced)}{want}; "
            "what the real model takes is not known"
            if replaced
            else "the full crew ran on the embedded endpoint",
            hang=2,
        )


def verdict(report: Report) -> Iterator[Line]:
    """One sentence."""
    style = "bold green" if report.exit_code == HEALTHY and not report.findings else "bold"
    yield BLANK
    yield line((report.verdict[:1].upper() + report.verdict[1:] + ".", style))


def notes(report: Report, *, every: bool) -> Iterator[Line]:
    """Exposure from defaults, as one line; what else is worth a note; crewdoctor's own lines."""
    exposed = [note for note in report.notes if note.layer in EXPOSED and not note.observed]
    others = [note for note in report.notes if note not in exposed]
    if report.longest_hang or report.notes:
        yield BLANK
    if report.longest_hang or exposed:
        codes = ", ".join(dict.fromkeys(note.code for note in exposed))
        told = report.longest_hang or exposed[0].message
        yield line(("note: ", "cyan"), told, (f"  ({codes})" if codes else "", "dim"), hang=6)
    shown = others if every else others[: _FEW_NOTES if report.findings else 0]
    for note in shown:
        yield line(("note: ", "cyan"), note.message, (f"  ({note.code})", "dim"), hang=6)
    folded = others[len(shown) :]
    if folded:
        named = ", ".join(dict.fromkeys(f"{note.code} {note.slug}" for note in folded))
        count = wording.plural(len(folded), "more note" if shown or exposed or report.longest_hang else "note")
        yield line((f"{count}: {named} (-v shows all)", "dim"), hang=6)
    for text in dict.fromkeys(report.environment.get("notes") or ()):
        yield line(("crewdoctor: ", "dim"), (text, "dim"), hang=6)
    allowed = report.environment.get("allowed_tools") or ()
    if allowed:
        yield line(("allowed to write: ", "yellow"), ", ".join(allowed), hang=6)


def cost(report: Report) -> Iterator[Line]:
    """What watching has cost the steps themselves."""
    told = report.environment.get("recorder")
    if told:
        size = f"{told['bytes'] / 1e6:.1f} MB" if told["bytes"] >= _MEGABYTE else f"{told['bytes'] / 1e3:.0f} kB"
        spans = f"{wording.plural(int(told['spans']), 'span')}, {size}, written in {wording.seconds(told['seconds'])}"
        yield line(("recording: ", "dim"), (spans, "dim"), hang=6)


def ignored(report: Report) -> Iterator[Line]:
    """What a comment in the source keeps out of the findings, each with the reason given: left out, never hidden."""
    held = [(outcome, each) for outcome in report.rules for each in outcome.ignored]
    if not held:
        return
    yield from heading("Ignored in source")
    root = str(report.environment.get("project_root", ""))
    for outcome, each in held:
        yield line(
            (f"{outcome.code} {outcome.slug}", "yellow"),
            (f"  {each.subject}", "bold"),
            f"  {wording.place(each.location, root)}",
            f"  reason: {each.reason or 'none given'}",
            indent=2,
            hang=2,
        )
        yield line((each.message, "dim"), indent=4)


def unexamined(report: Report, *, every: bool) -> Iterator[Line]:
    """What was not looked at, and why. Unknown is never shown as fine."""
    idle = [outcome for outcome in report.rules if outcome.status is RuleStatus.NOT_APPLICABLE]
    left_out = [outcome for outcome in report.rules if outcome.status is RuleStatus.IGNORED and not outcome.ignored]
    if not (report.unexamined or left_out or (idle and every)):
        return
    yield from heading("Not examined")
    groups = list(_by_reason(report, every=every).items())
    for reason, subjects in groups if every else groups[:_FEW]:
        told = ", ".join(subjects) if every else some(subjects)
        yield line(f"{told}: ", (reason, "dim"), indent=2, hang=2)
    if len(groups) > _FEW and not every:
        yield line((f"... and {len(groups) - _FEW} more reasons (-v shows all)", "dim"), indent=2)
    if left_out:
        yield line(f"rules left out: {', '.join(outcome.code for outcome in left_out)}", indent=2, hang=2)
    for outcome in idle if every else ():
        yield line((f"{outcome.code} {outcome.slug}: {outcome.reason}", "dim"), indent=2, hang=2)


def _by_reason(report: Report, *, every: bool) -> dict[str, list[str]]:
    """Who shares a reason, each once: `net.dns on host:a:443`, in the short form `a:443`."""
    found: dict[str, dict[str, None]] = {}
    for each in report.unexamined:
        probe, _, subject = each.subject.rpartition(" on ")
        whom = short(subject) if probe and not every else each.subject
        found.setdefault(each.reason, {})[whom] = None
    return {reason: list(subjects) for reason, subjects in found.items()}


def foot(report: Report, *, every: bool, brief: bool) -> Iterator[Line]:
    """What the exit code means, and what more there is to see."""
    yield BLANK
    if program := report.environment.get("program"):
        yield line((f"{program}; {wording.seconds(report.seconds)}", "dim"))
        return
    idle = sum(outcome.status is RuleStatus.NOT_APPLICABLE for outcome in report.rules)
    if report.questions and not (every or brief):
        rules = f", {wording.plural(idle, 'rule')} without anything to read" if idle else ""
        ledger = "" if report.findings else ", the ledger"
        yield line((f"-v shows every question, setting and note{ledger}{rules}", "dim"), hang=2)
    yield line((f"exit {report.exit_code}: {meaning(report)}; took {wording.seconds(report.seconds)}", "dim"), hang=2)
