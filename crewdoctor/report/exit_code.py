"""What the process will exit with (law 14), and the sentence that says why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crewdoctor import wording
from crewdoctor.model.finding import Finding, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.recording import Recording
from crewdoctor.model.refusal import NOT_DIAGNOSED, USAGE
from crewdoctor.model.report import Report
from crewdoctor.model.result import Status, StepResult
from crewdoctor.timeline.model_calls import model_calls

HEALTHY = 0
FOUND = 1
INTERRUPTED = {"SIGINT": 130, "SIGTERM": 143}
MEANING = {
    HEALTHY: "nothing at or above --fail-on was found",
    FOUND: "findings at or above --fail-on",
    USAGE: "the target was not named as it should be",
    NOT_DIAGNOSED: "the target could not be diagnosed, or its failure is unexplained",
    130: "interrupted; what was measured until then is shown",
    143: "terminated; what was measured until then is shown",
}
_MISNAMED = {
    "missing_argument": "what builds the crew asks for arguments that nobody gave",
    "no_such_name": "the target has nothing of that name",
    "several_crews": "the target must say which crew is meant",
    "built_inside": "the target must say which function builds the crew",
    "missing_file": "the target cannot be read",
    "definition": "the target cannot be read as the definition of a crew",
}
"""Of the loader's reasons for exit code 2, what each means."""
_ATTEMPTED = frozenset({Status.OK, Status.KILLED, Status.CRASHED})


def meaning(report: Report) -> str:
    """What the exit code of this report means; of several reasons for a code, the one that applies."""
    if report.exit_code != USAGE:
        told = MEANING.get(report.exit_code, "")
        at_or_above = f"--fail-on {report.environment.get('fail_on', 'error')}"
        return told.replace("--fail-on", at_or_above) if report.exit_code in {HEALTHY, FOUND} else told
    if report.crew:
        return "the crew asks for inputs that nobody gave"
    kinds = (str(each.attrs.get("kind")) for each in flat(report.findings))
    return next((_MISNAMED[kind] for kind in kinds if kind in _MISNAMED), MEANING[USAGE])


def exit_code(recording: Recording, findings: Sequence[Finding]) -> int:
    """Of 130/143, 2 (inputs), 3, 1, 0 the first that applies. Steps our deadline cut off do not change it."""
    if recording.interrupted in INTERRUPTED:
        return INTERRUPTED[recording.interrupted]
    if missing_inputs(recording) or misnamed(recording):
        return USAGE
    if not examined(recording):
        return NOT_DIAGNOSED
    if not flat(findings) and (unanswered(recording) or raised(recording)):
        return NOT_DIAGNOSED
    fail_on = recording.header.options.fail_on
    if fail_on != "never" and any(each.severity.rank <= Severity(fail_on).rank for each in flat(findings)):
        return FOUND
    return HEALTHY


def unanswered(recording: Recording) -> str:
    """That a model answered none of its calls, or how the one call failed with which a command stands or falls.

    Empty where neither is so.
    """
    failed = [
        f"{each.step.subject}: no answer within {wording.seconds(each.seconds)}"
        for each in recording.results
        if each.step.probe == "llm.sdk" and each.facts.get("hung") is True and each.facts.get("answered") is False
    ]
    failed += [f"{call.model}: {call.failure}" for call in model_calls(recording) if call.failure]
    if recording.header.options.scope in {"preflight", "llm"}:  # not even begun: no key, no client
        asked = (result for result in recording.results if result.step.probe == "llm.sdk")
        failed += [f"{each.step.subject}: {each.reason}" for each in asked if each.status is Status.FAILED]
    return next(iter(failed), "")


def raised(recording: Recording) -> bool:
    """Whether the crew, on its own model, raised by itself: the failure is real, and nobody here knows why."""
    return not recording.simulated and any(failed_by_itself(result) for result in recording.results)


def failed_by_itself(result: StepResult) -> bool:
    """Whether the whole crew raised, and not because crewdoctor held its calls back."""
    ended = result.facts.get("result", "completed") if result.step.probe == "crew.kickoff" else "completed"
    return ended != "completed" and "llm_calls_capped" not in result.facts


def misnamed(recording: Recording) -> bool:
    """Whether the loader says the target was named wrongly (no such file or name, several crews)."""
    told = [result.facts.get("load_failure") for result in recording.results if recording.inventory is None]
    return any(isinstance(each, dict) and each.get("usage") is True for each in told)


def missing_inputs(recording: Recording) -> tuple[str, ...]:
    """Names of inputs the crew asks for and nobody gave."""
    inventory = recording.inventory
    if inventory is None:
        return ()
    given = {*inventory.inputs_given, *recording.header.options.inputs}
    return tuple(name for name in inventory.inputs_required if name not in given)


def examined(recording: Recording) -> bool:
    """Whether any layer above settings was looked at; where that was not asked for, the target only has to load."""
    if recording.header.options.scope == "run":
        return bool(recording.results)
    if recording.inventory is None:
        return False
    if recording.header.options.dry_run or recording.header.options.scope == "settings":
        return True
    return any(result.status in _ATTEMPTED and result.step.layer is not Layer.SETTINGS for result in recording.results)


def flat(findings: Iterable[Finding]) -> list[Finding]:
    """Findings with the explained ones beneath them, in order."""
    return [each for finding in findings for each in (finding, *flat(finding.explained))]
