from dataclasses import replace

import pytest

from crewdoctor.model.finding import Finding, Severity
from crewdoctor.model.inventory import Inventory, Unexamined
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Plan, Skip, Step
from crewdoctor.model.recording import Header, Recording
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.span import Failure, FailureKind, Span
from crewdoctor.report.assemble import assemble
from crewdoctor.report.terminal import render

INVENTORY = Inventory(
    target="/p/crew.py", crew="crew", project_root="/p", shape="module", unexamined=(Unexamined("a/llm", "foreign"),)
)


def step(probe="tool.isolated", subject="tool:x", layer=Layer.TOOL):
    return Step(f"{probe}@{subject}", probe, layer, subject, "loaded", 10.0)


def recording(*results, options=None, **changes):
    fields = {"header": Header(options=options or Options()), "inventory": INVENTORY, "results": results, "end": 12.0}
    return Recording(**{**fields, **changes})


OK = StepResult(step(), Status.OK, 1.0, 3.0)
SPAN = Span("1.1", OK.step.id, "tool.call", 1.0, 2.5, Layer.TOOL, "tool:x")


def finding(severity=Severity.ERROR, **changes):
    fields = {
        "code": "CD303",
        "slug": "tool_slow",
        "severity": severity,
        "layer": Layer.TOOL,
        "subject": "tool:x",
        "message": "it is slow",
        "evidence": ("1.1",),
    }
    return Finding(**{**fields, **changes})


@pytest.mark.parametrize(
    ("held", "findings", "code"),
    [
        (recording(OK), (), 0),
        (recording(OK), (finding(Severity.WARNING),), 0),
        (recording(OK, options=Options(fail_on="warning")), (finding(Severity.WARNING),), 1),
        (recording(OK, options=Options(fail_on="never")), (finding(),), 0),
        (recording(OK), (finding(),), 1),
        (recording(OK, interrupted="truncated"), (finding(),), 1),
        (recording(OK, interrupted="SIGINT"), (finding(),), 130),
        (recording(OK, interrupted="SIGTERM"), (finding(),), 143),
        (recording(OK, inventory=None), (finding(),), 3),
        (recording(replace(OK, status=Status.FAILED)), (finding(),), 3),
        (recording(replace(OK, status=Status.KILLED)), (), 0),
        (recording(replace(OK, step=step(layer=Layer.SETTINGS))), (), 3),
        (recording(options=Options(dry_run=True)), (), 0),
        (recording(inventory=replace(INVENTORY, inputs_required=("topic",))), (finding(),), 2),
        (recording(OK, inventory=replace(INVENTORY, inputs_required=("t",)), options=Options(inputs={"t": 1})), (), 0),
    ],
)
def test_exit_codes(held, findings, code):
    assert assemble(held, findings, ()).exit_code == code


def test_infos_are_notes_never_findings():
    report = assemble(recording(OK), (finding(), finding(Severity.INFO, code="CD203")), ())

    assert [each.code for each in report.findings] == ["CD303"]
    assert [each.code for each in report.notes] == ["CD203"]


def test_nothing_vanishes():
    late, left = step("crew.kickoff", "crew:crew", Layer.CREW), step("net.tcp", "host:h:1", Layer.NETWORK)
    plan = Plan((OK.step, late, left), (Skip("agent.bisect", Layer.AGENT, "agent:a", "its tool hung"),))
    held = recording(OK, StepResult(left, Status.FAILED, 0.0, 0.1, "no socket left"), plans=(plan,))

    report = assemble(held, (), ())

    assert [(each.subject, each.status, each.answer) for each in report.questions] == [
        ("host:h:1", "failed", "no socket left"),
        ("tool:x", "ok", ""),
        ("agent:a", "skipped", "its tool hung"),
        ("crew:crew", "skipped", "not started"),
    ]
    assert {(each.subject, each.reason) for each in report.unexamined} == {
        ("a/llm", "foreign"),
        ("net.tcp on host:h:1", "no socket left"),
        ("agent.bisect on agent:a", "its tool hung"),
    }


def test_a_question_shows_the_finding_its_step_gave_and_the_figure_where_there_is_none():
    held = recording(OK, spans=(SPAN,))

    assert assemble(held, (finding(),), ()).questions[0].answer == "CD303"
    assert assemble(held, (), ()).questions[0].answer == "1.5 s"


def test_a_target_that_failed_without_a_finding_is_not_shown_as_fine():
    failed = replace(SPAN, failure=Failure(FailureKind.TCP_REFUSED, "refused"))

    question = assemble(recording(OK, spans=(failed,)), (), ()).questions[0]

    assert (question.status, question.answer) == ("failed", "tcp.refused")


def test_a_finding_on_a_simulated_model_says_so():
    simulated = replace(SPAN, attrs={"simulated": True})

    report = assemble(recording(OK, spans=(simulated,), simulated=("agent:a/llm",)), (finding(),), ())

    assert report.findings[0].attrs == {"simulated": "yes"}
    assert report.questions[0].simulated
    assert assemble(recording(OK, spans=(SPAN,)), (finding(),), ()).findings[0].attrs == {}


def test_no_mismatch_does_not_hide_a_question_that_did_not_hold_and_that_no_rule_explains():
    failed = replace(SPAN, failure=Failure(FailureKind.DEADLINE, "no answer in time"))

    report = assemble(recording(OK, spans=(failed,)), (), ())

    assert [each.status for each in report.questions] == ["failed"]
    assert report.verdict == "no mismatch found; 1 question stayed open"


def test_no_mismatch_does_not_hide_what_stayed_open():
    report = assemble(recording(replace(OK, status=Status.KILLED), simulated=("agent:a/llm",)), (), ())

    assert report.verdict == (
        "no mismatch found; 1 question stayed open; the model was SIMULATED, so the provider itself was not examined"
    )


def test_a_tool_that_would_write_was_not_examined_and_did_not_fail():
    blocked = Failure(FailureKind.BLOCKED_WOULD_WRITE, "blocked: would write")
    held = recording(
        replace(OK, facts={"blocked": True, "blocked_what": ["POST api/rows"]}),
        spans=(replace(SPAN, failure=blocked),),
        simulated=("agent:a/llm",),
    )
    report = assemble(held, (), (), None)

    assert [question.status for question in report.questions] == ["skipped"]
    assert "1 tool not examined" in report.verdict
    (unexamined,) = [each for each in report.unexamined if "tool:x" in each.subject]
    assert "it would POST api/rows" in unexamined.reason
    assert "--allow-tool 'x'" in unexamined.reason


def test_a_crew_that_failed_for_no_known_reason_is_not_told_to_be_fine():
    step = replace(OK.step, id="crew.kickoff@c", probe="crew.kickoff", layer=Layer.CREW)
    raised = replace(OK, step=step, facts={"result": "python.exception", "error": "no 'choices'"})
    capped = replace(raised, facts={**raised.facts, "llm_calls_capped": 5})

    told = assemble(recording(raised), (), ()).verdict

    assert told == "no mismatch found that explains why the crew failed (python.exception: no 'choices')"
    assert assemble(recording(capped), (), ()).verdict == "no mismatch found; 1 question stayed open"
    assert assemble(recording(replace(raised, facts={"result": "completed"})), (), ()).verdict == "no mismatch found"


def test_the_report_names_the_inputs_and_where_they_come_from_and_no_value():
    given = Options(inputs={"topic": "a secret plan"}, input_origins={"topic": "--inputs"})
    held = replace(INVENTORY, inputs_from={"city": "the crew's own kickoff", "style": "invented for build()"})

    report = assemble(recording(OK, options=given, inventory=held), (), ())

    assert [(each.name, each.source) for each in report.inputs] == [
        ("city", "the crew's own kickoff"),
        ("style", "invented for build()"),
        ("topic", "--inputs"),
    ]
    text = render(report, width=120)
    assert "inputs: city (the crew's own kickoff); style (invented for build()); topic (--inputs)" in text
    assert "secret" not in text


def test_a_host_beside_the_crew_leaves_no_question_open():
    beside = step("environment.telemetry", "host:t.example:4319", Layer.ENVIRONMENT)
    failed = Span("9.1", beside.id, "tcp.connect", 1.0, 2.0, Layer.ENVIRONMENT, "host:t.example:4319")
    failed = replace(failed, failure=Failure(FailureKind.DNS_NOT_FOUND))
    held = recording(OK, StepResult(beside, Status.OK, 1.0, 2.0), spans=(SPAN, failed))

    assert "stayed open" not in assemble(held, (), ()).verdict
    assert [each.status for each in assemble(held, (), ()).questions] == ["ok", "failed"]
