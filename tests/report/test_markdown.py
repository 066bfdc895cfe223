"""Markdown as it will be read: parsed by a CommonMark parser with tables."""

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from crewdoctor.model.rule import Ignored, RuleOutcome, RuleStatus
from crewdoctor.model.setting import Location
from crewdoctor.report import markdown
from crewdoctor.report.markdown import render

_spec = importlib.util.spec_from_file_location("sample", Path(__file__).with_name("sample.py"))
sample = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sample)
sick = sample.sick

OWN_HTML = r"</?details>|</?summary>|<sub>|</sub>|<!-- -->"


def page(text):
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)


def openly(text):
    return text.partition("<details>")[0]


def test_what_a_reader_needs_stands_before_anything_folded():
    text = openly(page(render(sick())))

    for told in (
        "2 errors; the first cause is CD304",
        "SIMULATED model",
        "layer <strong>tool</strong>",
        "<code>tool:look_up</code>",
        "20.0 s",
        "no limit",
        "<code>tools.py:57 in look_up</code>",
        "return requests.get(url, timeout=(3.05, 10)).text",
        'class="language-python"',
        "explains CD401",
    ):
        assert told in text


def test_the_table_has_a_row_for_each_layer_that_was_asked():
    rows = re.findall(
        r"<tr>\s*<td>(\w+)</td>\s*<td>(.*?)</td>\s*<td>(.*?)</td>", openly(page(render(sick()))), re.DOTALL
    )

    assert rows == [
        ("network", "✅", "2 hold"),
        ("llm", "✅", "1 holds (SIMULATED)"),
        ("tool", "❌", "1 does not: CD304"),
        ("agent", "\N{EN DASH}", "1 not examined"),
    ]


def test_details_are_folded_and_closed():
    text = render(sick())

    titles = re.findall(r"<details><summary>(.+)</summary>", text)
    assert titles == [
        "All 5 questions",
        "Where the time went",
        "Ledger: how long one silent dependency can hold each scope",
        "Not examined (2)",
    ]
    assert text.count("<details>") == text.count("</details>")


def test_a_healthy_report_is_green_and_short():
    calm = render(
        sick(
            findings=(),
            verdict="no mismatch found",
            exit_code=0,
            waterfall=(),
            ladder=(),
            ledger=(),
            unexamined=(),
            rules=(),
            simulated=(),
            longest_hang="",
            questions=sick().questions[:2],
        )
    )

    assert calm.startswith("## ✅ crewdoctor: no mismatch found\n")
    assert "❌" not in calm
    assert len(openly(calm).splitlines()) < 8


def test_what_was_ignored_is_not_folded():
    ignored = Ignored("tool:look_up", "it waits", Location("/srv/project/tools.py", 57), "the service is ours")
    rules = (RuleOutcome("CD301", "tool_without_timeout", RuleStatus.IGNORED, "in source", ignored=(ignored,)),)

    text = openly(render(sick(findings=(), rules=rules, exit_code=0)))

    assert text.startswith("## \N{WARNING SIGN}")
    assert "- Ignored in source: CD301 `tool:look_up` at `tools.py:57`, reason: the service is ours" in text


@pytest.mark.parametrize("status", ["failed", "killed", "crashed"])
def test_what_stayed_open_is_not_shown_as_fine(status):
    asked = (replace(sick().questions[0], status=status, answer="its deadline came"),)

    text = render(sick(findings=(), exit_code=0, questions=asked, rules=()))

    assert text.startswith("## \N{WARNING SIGN}")
    assert "| network | \N{WARNING SIGN}\ufe0f | 1 stayed open |" in text


EVIL = [
    "<script>alert(1)</script>",
    "![x](http://evil.example/a.png)",
    "[click](javascript:x)",
    "**bold** ~~gone~~ __b__",
    "</details><h1>x",
    "# heading",
    "1. list",
    "- list",
    "a | b | c",
    "`open",
    "x ``` y",
    "<!-- x",
    "&lt;b&gt;",
    "a\n\n> quote\n```\ncode",
]


@pytest.mark.parametrize("text", EVIL)
def test_text_from_outside_stays_text(text):
    asked = tuple(replace(each, subject=text, question=text, answer=text) for each in sick().questions)
    finding = replace(
        sample.HANG, subject=text, message=text, location=Location(text, 1, text, text), explained=sample.HANG.explained
    )
    plain = page(render(sick()))

    told = page(render(sick(verdict=text, findings=(finding,), questions=asked, longest_hang=text)))

    for tag in (
        "script",
        "img",
        "a ",
        "h1",
        "blockquote",
        "ol",
        "ul",
        "table",
        "pre",
        "strong",
        "del",
        "s>",
        "tr",
        "td",
    ):
        opening = re.compile(rf"<{tag}[ >]")
        assert len(opening.findall(told)) == len(opening.findall(plain)), tag
    assert told.count("</details>") == plain.count("</details>")


def test_nobody_is_called_and_no_number_is_linked():
    text = render(sick(verdict="ask @octocat about #12 and !3"))

    assert "@octocat" not in text
    assert "#12" not in text
    assert "@<!-- -->octocat" in text


def test_html_is_ours_alone():
    text = render(sick(verdict="x <b>y</b> < z", ladder=()))

    assert re.sub(OWN_HTML, "", text).count("<") == 0


def test_it_fits_a_comment_and_says_what_it_left_out():
    asked = tuple(replace(sick().questions[0], subject=f"host:{number}" * 9) for number in range(900))

    text = render(sick(questions=asked))

    assert len(text) <= 65_536
    assert "1 section left out" in text
    assert "Ledger" in text


def test_a_fence_is_longer_than_what_it_holds():
    held = replace(sample.HANG, fix=replace(sample.HANG.fix, code="a\n````\nb"))

    assert "`````python\na\n````\nb\n`````" in render(sick(findings=(held,)))
    assert markdown.FORMAT == "markdown"
