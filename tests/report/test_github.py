"""Workflow commands as the runner takes them apart."""

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import pytest

from crewdoctor.model.setting import Location
from crewdoctor.report.github import render

_spec = importlib.util.spec_from_file_location("sample", Path(__file__).with_name("sample.py"))
sample = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sample)
sick = sample.sick


def unescaped(text, *, inside):
    for code, character in (("%3A", ":"), ("%2C", ",")) if inside else ():
        text = text.replace(code, character)
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def commands(text):
    """(name, properties, message) of every line the runner would act on: as it parses them, leniently."""
    found = []
    for row in text.splitlines():
        assert "##[" not in row or row.startswith("::")
        match = re.match(r"\s*::(\S+?)(?: (.*?))?::(.*)", row)
        if match:
            pairs = [pair.split("=", 1) for pair in (match[2] or "").split(",") if pair]
            properties = {name: unescaped(value, inside=True) for name, value in pairs}
            found.append((match[1], properties, unescaped(match[3], inside=False)))
    return found


def test_each_finding_is_an_annotation_at_its_line_of_the_repository():
    (first, second) = commands(render(sick(), workspace="/srv"))

    name, properties, message = first
    assert name == "error"
    assert properties == {"file": "project/tools.py", "line": "57", "title": "CD304 tool_hangs: tool:look_up"}
    assert message.splitlines()[0] == sample.HANG.message
    assert "measured: still waiting after: 20.0 s (n=1)" in message
    assert "limit: timeout: no limit, tools.py:57" in message
    assert "return requests.get(url, timeout=(3.05, 10)).text" in message
    assert second[0] == "error"
    assert "file" not in second[1]


@pytest.mark.parametrize(
    ("workspace", "file"), [("/srv/project", "tools.py"), ("/srv/project/", "tools.py"), ("", "tools.py"), ("/x", None)]
)
def test_paths_are_relative_to_the_workspace_or_left_out(workspace, file):
    properties = commands(render(sick(), workspace=workspace))[0][1]

    assert properties.get("file") == file


def test_a_path_told_from_the_project_on_is_completed():
    held = replace(sample.HANG, location=replace(sample.HANG.location, file="src/tools.py"), explained=())

    told = commands(render(sick(findings=(held,)), workspace="/srv"))

    assert told[0][1]["file"] == "project/src/tools.py"


def test_a_warning_is_a_warning_and_a_note_no_annotation():
    warned = replace(sample.HANG, severity=type(sample.HANG.severity).WARNING, explained=())

    text = render(sick(findings=(warned,)))

    assert [name for name, _, _ in commands(text)] == ["warning"]
    assert "note: the longest this crew can hang" in text


@pytest.mark.parametrize(
    "text", ["100%", "a::b", "a,line=1", "50%0Aoff", "x\n::stop-commands::y", "::add-mask::z", "##[set-env name=A]b"]
)
def test_text_from_outside_ends_no_property_and_starts_no_command(text):
    where = Location(f"/srv/project/{text}", 1, text, text)
    finding = replace(sample.HANG, subject=text, message=text, location=where, explained=())

    told = render(sick(findings=(finding,), verdict=text, longest_hang=text), workspace="/srv/project")

    one_line = text.replace("\n", " ")
    ((name, properties, message),) = commands(told)
    assert name == "error"
    assert properties == {"file": one_line, "line": "1", "title": f"CD304 tool_hangs: {one_line}"}
    assert message.startswith(one_line)


def test_a_healthy_crew_gets_no_annotation():
    calm = render(sick(findings=(), verdict="no mismatch found", exit_code=0))

    assert commands(calm) == []
    assert "no mismatch found" in calm
