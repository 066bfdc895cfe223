import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from crewdoctor.report.terminal import render

_spec = importlib.util.spec_from_file_location("sample", Path(__file__).with_name("sample.py"))
sample = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sample)
sick = sample.sick


def test_the_first_finding_is_whole_on_the_first_screen():
    screen = "\n".join(render(sick()).splitlines()[:24])

    for told in (
        "CD304 tool_hangs",
        "layer tool",
        "tool:look_up",
        "20.0 s",
        "no limit",
        "tools.py:57",
        "return requests.get(url).text",
        "timeout=(3.05, 10)",
        "crewdoctor explain CD304",
    ):
        assert told in screen


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_nothing_but_code_to_paste_is_wider_than_the_terminal(width):
    report = sick()
    code = report.findings[0].fix.code

    wide = [row for row in render(report, width=width).splitlines() if len(row) > width and code not in row]

    assert wide == []


def test_plain_is_ascii_and_without_color_there_is_no_escape():
    plain = render(sick(), plain=True)

    assert plain.isascii()
    assert "\x1b" not in render(sick())
    assert "\x1b[" in render(sick(), color=True)


TOUCHED = (
    "the model answers",
    "  sdk ",
    "  crew  ",
    "    agent:researcher/llm",
    "where it went",
    "llm agent:researcher/llm",
)


@pytest.mark.parametrize("start", TOUCHED)
def test_every_line_a_simulated_model_touches_says_so(start):
    rows = [row for row in render(sick(), width=120).splitlines() if start in row]

    assert len(rows) == 1
    assert "SIMULATED" in rows[0]


def test_an_own_model_is_never_called_simulated():
    models = [{**sick().environment["models"][0], "simulated": False}]
    questions = tuple(replace(each, simulated=False) for each in sick().questions)

    text = render(sick(simulated=(), questions=questions, environment={"models": models}))

    assert "LLM own: gpt-4o (openai)" in text
    assert "SIMULATED" not in text


def test_control_characters_of_outside_text_are_neutralised():
    finding = sample.HANG
    evil = sick(
        findings=(
            type(finding)(
                code=finding.code,
                slug=finding.slug,
                severity=finding.severity,
                layer=finding.layer,
                subject="tool:\x1b]0;owned\x07",
                message="a\x1b[2Jb\u202e",
                evidence=finding.evidence,
            ),
        )
    )

    for text in (render(evil), render(evil, color=True)):
        assert "\x07" not in text
        assert "\x1b[2J" not in text
        assert "\x1b]0" not in text
        assert "\u202e" not in text


def test_a_healthy_crew_gets_a_short_calm_report():
    calm = render(
        sick(
            findings=(),
            verdict="no mismatch found",
            exit_code=0,
            waterfall=(),
            shares=(),
            ladder=(),
            ledger=(),
            unexamined=(),
            simulated=(),
            longest_hang="",
            questions=sick().questions[:2],
        )
    )

    assert "No mismatch found." in calm
    assert "exit 0: nothing at or above --fail-on error" in calm
    assert len(calm.splitlines()) < 16


def test_quiet_keeps_the_findings_and_verbose_tells_each_subject():
    quiet, verbose = render(sick(), verbosity=-1), render(sick(), verbosity=1)

    assert "CD304" in quiet
    assert "Layers" not in quiet
    assert "host:a.example:443" in verbose
    assert "host:a.example:443" not in render(sick())
    assert "CD101" in verbose


def test_the_explained_lie_beneath_their_cause():
    rows = render(sick()).splitlines()
    cause = next(number for number, row in enumerate(rows) if "CD304 tool_hangs" in row and "layer" in row)
    effect = next(number for number, row in enumerate(rows) if "CD401" in row)

    assert cause < effect < rows.index("Layers")
