"""What holds for every format, written once."""

from __future__ import annotations

import importlib.util
import inspect
import unicodedata
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from crewdoctor import pipeline
from crewdoctor.model.finding import Fix
from crewdoctor.model.inventory import Unexamined
from crewdoctor.model.setting import Location
from crewdoctor.report import formats
from crewdoctor.wire.recording import read_recording

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = sorted((ROOT / "fixtures" / "recordings").glob("*/recording.jsonl"))
NAMES = tuple(formats.formats())
each_format = pytest.mark.parametrize("name", NAMES)
KNOWN = {"width": 80, "color": False, "plain": False, "verbosity": 0, "workspace": "/srv/project", "recording": None}

_spec = importlib.util.spec_from_file_location("sample", ROOT / "tests" / "report" / "sample.py")
sample = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sample)

EVIL = "a\x1b[2Jb\x00c\u202ed\ud800e\x07f\ufffe]]>g\r\n::error::h ##[add-mask]i @octocat <script> | `x"


def evil():
    """A report in which every text from outside tries something."""
    finding = replace(
        sample.HANG,
        subject=f"tool:{EVIL}",
        message=f"tool `{EVIL}` waits",
        location=Location(f"/srv/project/{EVIL}.py", 3, EVIL, EVIL),
        fix=Fix(EVIL, f"{EVIL}\n```\n{EVIL}"),
        explained=(replace(sample.DEADLINE, message=EVIL),),
    )
    base = sample.sick()
    asked = tuple(replace(each, subject=EVIL, question=EVIL, answer=EVIL) for each in base.questions)
    return replace(
        base,
        target=EVIL,
        crew=EVIL,
        verdict=EVIL,
        findings=(finding,),
        notes=(finding,),
        questions=asked,
        longest_hang=EVIL,
        unexamined=(Unexamined(EVIL, EVIL),),
        rules=tuple(replace(each, reason=EVIL) for each in base.rules),
        environment={**base.environment, "notes": [EVIL], "allowed_tools": [EVIL], "versions": {"crewai": EVIL}},
    )


@each_format
def test_it_is_one_function_of_a_report(name):
    module = importlib.import_module(formats.formats()[name].module)
    report, *rest = inspect.signature(module.render).parameters.values()

    assert name == module.FORMAT
    assert report.name == "report"
    assert {each.name for each in rest} <= KNOWN.keys()
    assert all(each.kind is each.KEYWORD_ONLY and each.default is not each.empty for each in rest)


@each_format
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.parent.name)
def test_every_recording_has_a_report_in_it_and_twice_the_same(name, path):
    report = pipeline.analyse(read_recording(path))
    text = formats.render(report, name, **KNOWN)

    assert text.endswith("\n")
    assert text == formats.render(report, name, **KNOWN)
    for finding in report.findings:
        assert finding.code in text


@each_format
def test_what_comes_from_outside_does_nothing_to_who_reads_it(name):
    text = formats.render(evil(), name, **KNOWN)

    kinds = {unicodedata.category(character) for character in text if character != "\n"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    text.encode("utf-8")


def test_junit_of_it_is_xml_still():
    root = ET.fromstring(formats.render(evil(), "junit", **KNOWN))

    assert any("waits" in (case.get("message") or "") for case in root.iter("failure"))


def test_suffixes_name_at_most_one_format():
    claimed = [suffix for each in formats.formats().values() for suffix in {each.name, *each.suffixes}]

    assert len(claimed) == len(set(claimed))


def test_what_is_appended_is_a_format_too():
    for each in formats.formats().values():
        assert {name for _, name in each.appended} <= set(NAMES)
