"""Facts and conclusions to a Report: everything a format needs, and nothing it must compute. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from crewdoctor import timeline, wording
from crewdoctor.hangs import hangs
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Severity
from crewdoctor.model.inventory import Unexamined
from crewdoctor.model.layer import Layer
from crewdoctor.model.recording import Recording
from crewdoctor.model.report import InputUsed, Report, Rung, Scope
from crewdoctor.model.result import Status
from crewdoctor.model.rule import RuleOutcome, RuleStatus
from crewdoctor.proofs import proofs
from crewdoctor.report.exit_code import examined, exit_code, failed_by_itself, flat, missing_inputs, unanswered
from crewdoctor.report.load import load
from crewdoctor.report.naming import named
from crewdoctor.report.questions import questions, stopped
from crewdoctor.report.unseen import unseen
from crewdoctor.stalls import stalls
from crewdoctor.timeline.clocks import clocks, longest
from crewdoctor.timeline.model_calls import model_calls
from crewdoctor.timeline.said import log_lines
from crewdoctor.trials import trials
from crewdoctor.wire.codec import WireError, decode

_LONGEST_ERROR = 120

SCHEMA = "crewdoctor.report/1"


class ShownLedger(Protocol):
    """What the report takes from the timeout ledger."""

    longest_hang: str

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The ledger as a tree."""


def assemble(
    recording: Recording,
    findings: Iterable[Finding],
    outcomes: Sequence[RuleOutcome],
    ledger: ShownLedger | None = None,
) -> Report:
    """Build the report of one diagnosis. `findings` come ordered, what they explain folded in; infos among them."""
    simulated = _simulated_evidence(recording)
    shown = tuple(_labelled(each, simulated) for each in findings)
    accused = tuple(each for each in shown if each.severity is not Severity.INFO)
    crew = timeline.timeline(recording)
    inventory = recording.inventory
    facts = Evidence(recording, ledger)
    report = Report(
        format=SCHEMA,
        crewdoctor=recording.header.crewdoctor,
        started=recording.header.started,
        target=_target(recording),
        crew=inventory.crew if inventory else "",
        verdict=_verdict(recording, accused, sum(len(each.ignored) for each in outcomes)),
        scope=recording.header.options.scope,
        inputs=_inputs(recording),
        exit_code=exit_code(recording, accused),
        seconds=recording.end,
        findings=accused,
        notes=tuple(each for each in shown if each.severity is Severity.INFO),
        hangs=hangs(facts),
        questions=questions(recording, accused),
        model_calls=model_calls(recording),
        ladder=_ladder(recording, crew.rung),
        waterfall=crew.bars,
        shares=crew.shares,
        load=load(Evidence(recording, ledger)),
        settings=inventory.settings if inventory else (),
        proofs=proofs(facts),
        trials=trials(facts),
        stalls=stalls(facts),
        ledger=ledger.scopes if ledger else (),
        longest_hang=ledger.longest_hang if ledger else "",
        unexamined=_unexamined(recording, outcomes),
        rules=tuple(outcomes),
        simulated=tuple(sorted(recording.simulated)),
        interrupted=recording.interrupted,
        environment=_environment(recording),
    )
    return named(report)


def _simulated_evidence(recording: Recording) -> frozenset[str]:
    """Ids of spans the embedded model answered, and the subjects it stands in for."""
    spans = (span.id for span in recording.spans if span.attrs.get("simulated") is True)
    return frozenset((*spans, *recording.simulated))


def _labelled(finding: Finding, simulated: frozenset[str]) -> Finding:
    """Mark a finding that rests on a simulated model, and those it explains (each by its own evidence)."""
    explained = tuple(_labelled(each, simulated) for each in finding.explained)
    touched = finding.subject in simulated or not simulated.isdisjoint(finding.evidence)
    attrs = finding.attrs | {"simulated": "yes"} if touched else finding.attrs
    return replace(finding, explained=explained, attrs=attrs)


def _verdict(recording: Recording, findings: Sequence[Finding], ignored: int) -> str:
    first = findings[0] if findings else None
    missing = missing_inputs(recording)
    if missing:
        return f"the crew asks for inputs nobody gave: {', '.join(missing)}"
    if recording.header.options.scope == "run":
        if not recording.results:
            return "nothing was recorded: no Python process of it loaded the hook"
        if first is None and not any(result.step.probe == "crew.kickoff" for result in recording.results):
            return "no crew was started in what was recorded"
    elif recording.inventory is None:
        return f"the target could not be diagnosed: {_not_loaded(recording)}"
    if recording.header.options.dry_run:
        return "planned only: nothing of the crew was run"
    if not examined(recording):
        return "the target could not be diagnosed: no layer above settings ran"
    if first is None:
        return _calm(recording, ignored)
    held = flat(findings)
    errors = sum(each.severity is Severity.ERROR for each in held)
    counts = [_count(errors, "error"), _count(len(held) - errors, "warning")]
    told = " and ".join(count for count in counts if count)
    cause = "the first cause is" if len(held) > 1 else "it is"
    return f"{told}; {cause} {first.code} {first.slug} on {first.subject}"


def _inputs(recording: Recording) -> tuple[InputUsed, ...]:
    options = recording.header.options
    given = {name: options.input_origins.get(name, "--inputs") for name in options.inputs}
    held = {**(recording.inventory.inputs_from if recording.inventory else {}), **given}
    return tuple(InputUsed(name, source) for name, source in sorted(held.items()))


def _not_loaded(recording: Recording) -> str:
    """A run that was ended before the target had loaded says nothing about the target."""
    if not recording.interrupted or any(result.facts.get("load_failure") for result in recording.results):
        return "it did not load"
    if recording.interrupted == "truncated":
        return "the recording ends before it had loaded"
    return f"{recording.interrupted} came before it had loaded"


def _calm(recording: Recording, ignored: int) -> str:
    """No mismatch; and what keeps that from meaning that all is fine."""
    if recording.interrupted:
        return "no mismatch found in what was examined before it was cut short"
    if why := unanswered(recording):
        return f"a model could not be asked, and no rule says why: {why}"
    answered = [call for call in model_calls(recording) if not call.failure and call.phases]
    if recording.header.options.scope == "llm" and answered:
        told = [f"{phase.name} after {wording.seconds(phase.at)}" for phase in answered[0].phases[-2:]]
        return f"the model {answered[0].model} answers: {', '.join(told)}"
    crew = next((result.facts for result in recording.results if failed_by_itself(result)), None)
    if crew is not None:
        words = " ".join(str(crew.get("error") or "").split())[:_LONGEST_ERROR]
        return f"no mismatch found that explains why the crew failed ({crew['result']}{f': {words}' if words else ''})"
    parts = [
        f"no mismatch found but {_count(ignored, 'finding')} ignored in source" if ignored else "no mismatch found"
    ]
    left = sum(
        question.status in {"failed", "killed", "crashed"}
        and (question.layer, question.status) != (Layer.ENVIRONMENT, "failed")  # it was answered: a note
        for question in questions(recording, ())
    )
    if left:
        parts.append(f"{_count(left, 'question')} stayed open")
    guarded = sum(bool(stopped(result)) for result in recording.results)
    if guarded and recording.simulated:  # the crew's own model chose arguments that were let through
        parts.append(f"{_count(guarded, 'tool')} not examined, lest it write")
    if recording.simulated and recording.header.options.scope != "preflight":
        parts.append("the model was SIMULATED, so the provider itself was not examined")
    return "; ".join(parts)


def _count(number: int, noun: str) -> str:
    return "" if not number else f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _ladder(recording: Recording, crew: Rung | None) -> tuple[Rung, ...]:
    """The rungs as the ladder probe noted them (of the model where time jumps, else the first one), then the crew."""
    climbed = [
        _rungs(result.facts["rungs"])
        for result in recording.results
        if result.step.probe == "ladder" and result.facts.get("rungs")
    ]
    held = next((rungs for rungs in climbed if any(rung.jump for rung in rungs)), climbed[0] if climbed else ())
    return (*held, crew) if held and crew is not None else held


def _rungs(noted: Any) -> tuple[Rung, ...]:
    try:
        return tuple(decode(Rung, rung) for rung in noted)
    except (WireError, TypeError):
        return ()


def _unexamined(recording: Recording, outcomes: Sequence[RuleOutcome]) -> tuple[Unexamined, ...]:
    """What nobody looked at, and why: of the crew, of the plan, of the rules. Each once."""
    found: list[Unexamined] = list(recording.inventory.unexamined) if recording.inventory else []
    found += [
        Unexamined(f"{result.step.probe} on {result.step.subject}", result.reason)
        for result in recording.results
        if result.status in {Status.FAILED, Status.SKIPPED}
    ]
    found += [
        Unexamined(f"{result.step.probe} on {result.step.subject}", reason)
        for result in recording.results
        if (reason := stopped(result))
    ]
    found += unseen(recording)
    for plan in recording.plans:
        found += [Unexamined(f"{skip.probe} on {skip.subject}", skip.reason) for skip in plan.skips]
    found += [
        Unexamined(f"rule {outcome.code}", outcome.reason)
        for outcome in outcomes
        if outcome.status is RuleStatus.FAILED
    ]
    return tuple(dict.fromkeys(found))


def _target(recording: Recording) -> str:
    """What was diagnosed, as it was named; a program as it was started, whichever of its processes has the crew."""
    if recording.inventory is None or recording.header.options.scope == "run":
        return recording.header.options.target
    return recording.inventory.target


def _program(recording: Recording) -> str:
    """How a recorded program ended, in words; what its own process said where nobody stood around it."""
    gone = next((event for event in recording.events if event.name == "program.ended"), None)
    if gone is not None:
        signal = str(gone.attrs.get("signal") or "")
        return f"the program was ended by {signal}" if signal else f"the program exited {gone.attrs.get('code')}"
    if not recording.results:
        return ""
    main = recording.results[0]
    if recording.interrupted == "truncated" or main.status is Status.KILLED:
        return "the program had not ended"
    outcome = str(main.facts.get("result", "completed"))
    return "the program ended" if outcome == "completed" else f"the program ended with {main.facts.get('exception')}"


def _environment(recording: Recording) -> dict[str, Any]:
    header, inventory = recording.header, recording.inventory
    facts: dict[str, Any] = {
        "python": header.python,
        "platform": header.platform,
        "cpus": header.cpus,
        "load": header.load,
        "fail_on": header.options.fail_on,
        "allowed_tools": list(header.options.allow_tools),
        "notes": [str(note.get("text", "")) for note in recording.notes],
    }
    if told := clocks(recording):
        facts["clocks"] = told
        facts["longest"] = longest(recording)
        facts |= log_lines(recording)
    if header.options.scope == "run" and (ended := _program(recording)):
        facts["program"] = ended
    if recording.recorder:
        facts["recorder"] = recording.recorder
    if inventory is not None:
        facts |= {
            "project_root": inventory.project_root,
            "crew_python": inventory.python,
            "process": inventory.process,
            "shape": inventory.shape,
            "versions": dict(sorted(inventory.versions.items())),
            "agents": len(inventory.agents),
            "tasks": len(inventory.tasks),
            "tools": len(inventory.tools),
            "models": [
                {
                    "subject": llm.subject,
                    "model": llm.model,
                    "provider": llm.provider,
                    "known": llm.known,
                    "users": list(llm.users),
                    "simulated": llm.subject in recording.simulated,
                    "usable_key": llm.usable_key,
                }
                for llm in inventory.llms
            ],
            "machine": inventory.environment,
        }
    return facts
