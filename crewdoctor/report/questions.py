"""One line per question a probe asked: did it hold, in how many seconds, and if not, why it is not known."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Iterable

from crewdoctor import wording
from crewdoctor.model.finding import Finding
from crewdoctor.model.layer import Layer
from crewdoctor.model.recording import Recording
from crewdoctor.model.report import Question
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.span import Span
from crewdoctor.report.exit_code import flat

_MODELS = frozenset({Layer.LLM, Layer.AGENT, Layer.CREW})
_EXPERIMENT = "experiment."
_UNANSWERED = {
    Status.FAILED: "failed",
    Status.CRASHED: "crashed",
    Status.SKIPPED: "skipped",
}


def questions(recording: Recording, findings: Iterable[Finding]) -> tuple[Question, ...]:
    """Every step and every skip of the plans, lowest layer first, in order of planning (law 2)."""
    spans: dict[str, list[Span]] = defaultdict(list)
    for span in (*recording.spans, *recording.experiments.spans):
        spans[span.step].append(span)
    accused = _accused(recording, findings)
    ended = {result.step.id: result for result in recording.results}
    asked = [_of_result(result, spans[result.step.id], accused, recording) for result in recording.results]
    for plan in recording.plans:
        asked += [
            Question(step.layer, step.subject, _question(step.probe, step.announce), "skipped", _not_started(recording))
            for step in plan.steps
            if step.id not in ended
        ]
        asked += [
            Question(skip.layer, skip.subject, _question(skip.probe), "skipped", skip.reason) for skip in plan.skips
        ]
    return tuple(sorted(asked, key=lambda each: each.layer.rank))


def _not_started(recording: Recording) -> str:
    if recording.header.options.dry_run:
        return "planned; this was a dry run"
    return f"not started: {recording.interrupted}" if recording.interrupted else "not started"


def _of_result(
    result: StepResult, spans: list[Span], accused: dict[str, list[tuple[Finding, bool]]], recording: Recording
) -> Question:
    step = result.step
    codes = dict.fromkeys(
        finding.code for finding, shown_here in accused[step.id] if shown_here or finding.layer is step.layer
    )
    top = [span for span in spans if span.parent is None and span.layer is step.layer]
    tried = [span for span in spans if span.name.startswith(_EXPERIMENT)]
    failed = [span for span in top if span.failure is not None]
    if codes:
        status, answer = "finding", ", ".join(codes)
    elif result.status in _UNANSWERED:
        status, answer = _UNANSWERED[result.status], result.reason or _words(result)
    elif result.status is Status.KILLED:
        status, answer = "killed", result.reason
    elif held := stopped(result):
        status, answer = "skipped", held
    elif (cap := result.facts.get("llm_calls_capped")) is not None:
        status, answer = "killed", f"ended by the cap of its model's calls after {cap} (--max-llm-calls)"
    elif tried:  # that its calls fail is what it is for
        status, answer = "ok", _figure(tried, result)
    elif failed and len(failed) == len(top):
        failure = failed[0].failure
        status, answer = "failed", failure.kind.value if failure else ""
    else:
        status, answer = "ok", _figure(top, result)
    return Question(
        layer=step.layer,
        subject=step.subject,
        question=_question(step.probe, step.announce),
        status=status,
        answer=answer,
        seconds=None if result.status is Status.SKIPPED else result.seconds,
        simulated=_simulated(result, spans, recording),
    )


def stopped(result: StepResult) -> str:
    """What the guard kept a tool from, and how to let it; empty where it stopped nothing."""
    if result.step.layer is not Layer.TOOL or not result.facts.get("blocked"):
        return ""
    held = result.facts.get("blocked_what")
    what = wording.joined([str(each) for each in held]) if isinstance(held, list) and held else "change the world"
    name = result.step.subject.partition(":")[2]
    return f"its arguments are invented and it would {what}: stopped (--allow-tool '{name}' lets it)"


def _words(result: StepResult) -> str:
    return result.failure.text if result.failure else ""


def _simulated(result: StepResult, spans: list[Span], recording: Recording) -> bool:
    """A line is simulated where the embedded model answered in it."""
    if not recording.simulated:
        return False
    preflight = recording.header.options.scope == "preflight"  # its own models were called first
    of_models = result.step.layer in _MODELS and (not preflight or bool(result.step.args.get("embedded_base_url")))
    touched = result.step.subject in recording.simulated or of_models
    return touched or any(span.attrs.get("simulated") is True for span in spans)


def _figure(top: list[Span], result: StepResult) -> str:
    """The longest operation of the step's own layer, with how many there were."""
    closed = [span.seconds(result.end) for span in top]
    if not closed:
        return ""
    longest = wording.seconds(max(closed))
    return longest if len(closed) == 1 else f"{longest}, max of {len(closed)}"


def _accused(recording: Recording, findings: Iterable[Finding]) -> dict[str, list[tuple[Finding, bool]]]:
    """Step → findings with evidence from it, and whether that evidence failed or never ended there."""
    step_of = {span.id: span.step for span in (*recording.spans, *recording.experiments.spans)}
    step_of |= {stack.id: stack.step for stack in recording.stacks}
    step_of |= {event.id: event.step for event in recording.events}
    hurt = {span.id for span in recording.spans if span.open or span.failure is not None}
    hurt |= {stack.id for stack in recording.stacks}
    accused: dict[str, list[tuple[Finding, bool]]] = defaultdict(list)
    for finding in flat(findings):
        steps: dict[str, bool] = {}
        for key in finding.evidence:
            step = key[len("step:") :] if key.startswith("step:") else step_of.get(key, "")
            if step:
                steps[step] = steps.get(step, False) or key in hurt
        for step, shown_here in steps.items():
            accused[step].append((finding, shown_here))
    return accused


def _question(probe: str, otherwise: str = "") -> str:
    """The probe's own sentence; `otherwise`, or its id, for a step that is no probe of this version's."""
    file = probe.replace(".", "_")
    try:
        module = importlib.import_module(f"crewdoctor.probes.{file}") if file.isidentifier() else None
    except ImportError:
        module = None
    return str(module.PROBE.question) if hasattr(module, "PROBE") and module else otherwise or probe
