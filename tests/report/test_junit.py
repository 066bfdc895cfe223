"""JUnit XML: read back by junitparser, and held against the shape Ant writes and Jenkins reads."""

import importlib.util
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from crewdoctor import pipeline
from crewdoctor.model.rule import Ignored, RuleOutcome, RuleStatus
from crewdoctor.model.setting import Location
from crewdoctor.report.junit import render
from crewdoctor.wire.recording import read_recording

_spec = importlib.util.spec_from_file_location("sample", Path(__file__).with_name("sample.py"))
sample = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sample)
sick = sample.sick
RECORDINGS = sorted((Path(__file__).parents[2] / "fixtures" / "recordings").glob("*/recording.jsonl"))

QUIET = RuleOutcome("CD303", "tool_slow", RuleStatus.QUIET)
FOUND = (
    RuleOutcome("CD304", "tool_hangs", RuleStatus.FOUND, findings=1),
    RuleOutcome("CD401", "deadline_does_not_interrupt", RuleStatus.FOUND, findings=1),
)
IDLE = RuleOutcome("CD101", "nameserver_does_not_answer", RuleStatus.NOT_APPLICABLE, "nothing was recorded for dns")
BROKEN = RuleOutcome("CD904", "sample_too_small", RuleStatus.FAILED, "ZeroDivisionError: n")


def read(report):
    return {case.name: (suite.name, case) for suite in JUnitXml.fromstring(render(report).encode()) for case in suite}


def outcome(cases, name):
    found = [each for each in cases if each.startswith(name)]
    assert len(found) == 1, (name, sorted(cases))
    suite, case = cases[found[0]]
    return suite, (case.result[0] if case.result else None)


def test_each_question_and_each_rule_is_a_case_that_tells_how_it_went():
    cases = read(sick(rules=(*FOUND, QUIET, IDLE, BROKEN)))

    told = {
        name: (suite, type(result), result and result.message)
        for name in (
            "the host accepts connections [host:a.example:443]",
            "the model answers [agent:researcher/llm] SIMULATED",
            "the tool answers alone [tool:look_up]",
            "the agent is fast [agent:researcher]",
            "CD304",
            "CD401",
            "CD303",
            "CD101",
            "CD904",
            "examined: agent:writer/llm",
        )
        for suite, result in (outcome(cases, name),)
    }

    assert told == {
        "the host accepts connections [host:a.example:443]": ("network", type(None), None),
        "the model answers [agent:researcher/llm] SIMULATED": ("llm", type(None), None),
        "the tool answers alone [tool:look_up]": ("tool", Failure, "it does not hold: CD304"),
        "the agent is fast [agent:researcher]": ("agent", Skipped, "its tool hung before"),
        "CD304": ("tool", Failure, f"tool:look_up: {sample.HANG.message}"),
        "CD401": ("agent", Failure, f"agent:researcher: {sample.DEADLINE.message}"),
        "CD303": ("tool", type(None), None),
        "CD101": ("network", Skipped, "nothing was recorded for dns"),
        "CD904": ("itself", Error, "ZeroDivisionError: n"),
        "examined: agent:writer/llm": ("itself", Skipped, "SomeLLM is a foreign wrapper"),
    }


def test_the_body_of_a_failure_is_the_whole_finding():
    _, failure = outcome(read(sick(rules=FOUND)), "CD304")

    for told in (
        sample.HANG.message,
        "measured: still waiting after: 20.0 s (n=1)",
        "limit:    timeout: no limit, tools.py:57",
        "at:       tools.py:57 in look_up",
        "fix:      give the call a timeout",
        "return requests.get(url, timeout=(3.05, 10)).text",
        "evidence: 3.1, step:tool.isolated@tool:look_up",
        "crewdoctor explain CD304",
    ):
        assert told in failure.text


@pytest.mark.parametrize("status", ["failed", "killed", "crashed"])
def test_a_question_that_stayed_open_is_an_error_with_its_reason(status):
    asked = replace(sick().questions[0], status=status, answer="its deadline came")

    _, error = outcome(read(sick(questions=(asked,))), asked.question)

    assert isinstance(error, Error)
    assert error.message == "its deadline came"


@pytest.mark.parametrize("fail_on", ["error", "warning", "never"])
def test_cases_fail_where_the_process_exits_with_one(fail_on):
    warned = replace(sample.HANG, severity=type(sample.HANG.severity).WARNING, explained=())
    report = sick(findings=(warned,), rules=FOUND[:1], environment={**sick().environment, "fail_on": fail_on})

    text = render(report)
    failed = [
        name for name, (_, case) in read(report).items() if any(isinstance(each, Failure) for each in case.result)
    ]

    assert bool(failed) is (fail_on == "warning")
    assert sample.HANG.message in text  # below it, it is told in the output of its suite


def test_what_was_ignored_is_skipped_with_its_place_and_reason():
    ignored = Ignored("tool:look_up", "it waits", Location("/srv/project/tools.py", 57), "the service is ours")
    rule = RuleOutcome("CD301", "tool_without_timeout", RuleStatus.IGNORED, "in source", ignored=(ignored,))

    _, result = outcome(read(sick(findings=(), rules=(rule,))), "CD301")

    assert isinstance(result, Skipped)
    assert result.message == "ignored in source: CD301 tool:look_up at tools.py:57, reason: the service is ours"


def test_names_are_the_same_sick_and_healthy():
    well = replace(sick().questions[3], status="ok", answer="0.2 s")
    quiet = tuple(replace(each, status=RuleStatus.QUIET) for each in FOUND)
    healthy = sick(findings=(), questions=(*sick().questions[:3], well), rules=quiet)

    assert {name for name in read(sick(rules=FOUND)) if "fast" not in name} == set(read(healthy))


def test_properties_name_what_was_diagnosed():
    suite = next(iter(JUnitXml.fromstring(render(sick()).encode())))

    properties = {each.name: each.value for each in suite.properties()}
    assert properties["target"] == "/srv/project/crew.py"
    assert properties["verdict"].startswith("2 errors")
    assert properties["exit_code"] == "1"
    assert properties["version.crewai"] == "1.15.30"
    assert properties["simulated"] == "agent:researcher/llm"


# The shape: what the schema of Ant's task demands, and Jenkins' is content with.
ATTRIBUTES = {
    "testsuites": (set(), set()),
    "testsuite": (
        {"name", "timestamp", "hostname", "tests", "failures", "errors", "time", "package", "id"},
        {"skipped"},
    ),
    "properties": (set(), set()),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname", "time"}, set()),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "skipped": ({"message"}, set()),
    "system-out": (set(), set()),
    "system-err": (set(), set()),
}
CHILDREN = {
    "testsuites": r"(testsuite )*",
    "testsuite": r"properties (testcase )*system-out system-err ",
    "properties": r"(property )*",
    "testcase": r"((failure|error|skipped) )?",
}
DECIMAL = re.compile(r"\d+\.\d{3}")


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.parent.name)
def test_every_recording_has_the_shape_of_the_schema(path):
    root = ET.fromstring(render(pipeline.analyse(read_recording(path))))

    assert root.tag == "testsuites"
    for number, suite in enumerate(root):
        cases = suite.findall("testcase")
        assert suite.get("id") == str(number)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
        assert suite.get("tests") == str(len(cases))
        for kind, counted in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert suite.get(counted) == str(len(suite.findall(f"testcase/{kind}")))
        assert len({case.get("name") for case in cases}) == len(cases)
    for each in root.iter():
        needed, allowed = ATTRIBUTES[each.tag]
        assert needed <= set(each.attrib) <= needed | allowed
        assert re.fullmatch(CHILDREN.get(each.tag, ""), "".join(f"{child.tag} " for child in each))
        assert "time" not in each.attrib or DECIMAL.fullmatch(each.get("time"))
        if each.tag == "testcase":  # xs:token
            assert each.get("name") == " ".join(each.get("name").split())
