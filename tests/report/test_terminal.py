import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from crewdoctor import pipeline
from crewdoctor.model.inventory import Unexamined
from crewdoctor.report.terminal import render
from crewdoctor.wire.recording import read_recording

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
    "  llm  ",
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
    assert "Examined" not in quiet
    assert "host:a.example:443" in verbose
    assert "host:a.example:443" not in render(sick())
    assert "a.example:443, b.example:443" in render(sick())
    assert "CD101" in verbose
    assert "the host accepts connections" in verbose
    assert "evidence  3.1, step:tool.isolated@tool:look_up" in verbose
    assert "evidence  " not in render(sick())


def test_the_explained_lie_beneath_their_cause():
    rows = render(sick()).splitlines()
    cause = next(number for number, row in enumerate(rows) if "CD304 tool_hangs" in row and "layer" in row)
    effect = next(number for number, row in enumerate(rows) if "CD401" in row)

    assert cause < effect < rows.index("Examined")


PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


def test_a_healthy_crew_of_the_wild_fits_one_screen_and_needs_no_key_to_be_read():
    calm = render(pipeline.analyse(read_recording(PICTURES / "healthy.jsonl")), width=80)

    assert len(calm.splitlines()) <= 40
    for jargon in ("net.dns", "host:", "max of", "attempt ", "\N{SQUARE ROOT}", "Ledger"):
        assert jargon not in calm
    for told in ("crew        ok", "127.0.0.1:40401", "look_up_stock", "-v shows every question"):
        assert told in calm


def test_what_was_not_examined_is_named_once_for_a_reason():
    skipped = tuple(Unexamined(f"net.{probe} on host:api.example:443", "no usable key") for probe in ("dns", "tcp"))

    rows = [row for row in render(sick(unexamined=skipped)).splitlines() if "api.example" in row]

    assert rows == ["  api.example:443: no usable key"]


def test_the_calm_ladder_is_one_line_and_a_jump_has_one_for_each_rung():
    level = tuple(replace(rung, jump=False) for rung in sick().ladder)

    assert "the same work by connect 1.0 ms, sdk 50.0 ms, crew 20.0 s" in render(sick(ladder=level), width=120)
    assert "time jumps here" in render(sick())


def test_notes_of_a_healthy_crew_are_one_line_and_verbose_tells_each():
    note = replace(sample.DEADLINE, severity=sample.Severity.INFO, layer=sample.Layer.ENVIRONMENT, explained=())
    held = (replace(note, code="CD701", slug="telemetry"), replace(note, code="CD706", slug="overloaded"))

    calm = sick(findings=(), notes=held, longest_hang="")

    assert "2 notes: CD701 telemetry, CD706 overloaded (-v shows all)" in render(calm)
    assert note.message not in render(calm)
    assert render(calm, verbosity=1).count("did not interrupt a tool") == len(held)


def test_a_host_beside_the_crew_that_is_not_reached_is_no_failure():
    beside = sample.Question(
        sample.Layer.ENVIRONMENT, "host:t.example:4319", "it is reached", "failed", "dns.not_found"
    )

    text = render(sick(findings=(), questions=(beside,)))

    assert "environment not reached   t.example:4319 (see notes)" in text
    assert "dns.not_found" not in text


def test_the_same_answer_to_several_questions_about_a_subject_is_one_row():
    report = sick()
    hung = next(each for each in report.questions if each.status == "finding")
    report = replace(report, questions=(*report.questions, replace(hung, question="when does it give up")))

    examined = render(report).partition("Examined")[2].partition("Ledger")[0]

    assert examined.count("tool:look_up: CD304") == 1
