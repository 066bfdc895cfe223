import importlib.util
import json
from pathlib import Path

import pytest

from crewdoctor.cli import outputs
from crewdoctor.cli.outputs import Outlet
from crewdoctor.model.refusal import Refusal
from crewdoctor.report import formats

_spec = importlib.util.spec_from_file_location("sample", Path(__file__).parents[1] / "report" / "sample.py")
sample = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sample)


def chosen(tmp_path, *names, files=()):
    return outputs.outlets(list(names), [tmp_path / each for each in files])


def test_nothing_asked_is_the_default_on_stdout():
    assert outputs.outlets(None, None) == (Outlet("rich", None),)


def test_a_suffix_names_its_format(tmp_path):
    told = chosen(tmp_path, "rich", files=("r.json", "r.md", "r.xml"))

    assert [(each.format, each.file and each.file.name) for each in told] == [
        ("rich", None),
        ("json", "r.json"),
        ("markdown", "r.md"),
        ("junit", "r.xml"),
    ]


def test_other_files_take_the_last_formats(tmp_path):
    told = chosen(tmp_path, "github", "junit", files=("results.txt",))

    assert told == (Outlet("github", None), Outlet("junit", tmp_path / "results.txt"))


@pytest.mark.parametrize(
    ("names", "files", "told"),
    [
        (("toml",), (), "--format toml: unknown; write rich, "),
        (("json", "junit"), (), "would both go to stdout"),
        ((), ("r.txt",), "no --format is left for it"),
        ((), ("none/r.json",), "there is no folder"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, names, files, told):
    with pytest.raises(Refusal) as refusal:
        chosen(tmp_path, *names, files=files)

    assert told in refusal.value.sentence


def write(report, *told):
    outputs.write(report, told, color="auto", verbosity=0)


def test_a_job_summary_is_continued_not_replaced(tmp_path, monkeypatch, capsys):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_WORKSPACE", "/srv")

    write(sample.sick(), Outlet("github", None))

    assert summary.read_text() == "before\n" + formats.render(sample.sick(), "markdown", workspace="/srv")
    assert "::error file=project/tools.py,line=57," in capsys.readouterr().out


def test_other_formats_leave_the_job_summary_alone(tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    write(sample.sick(), Outlet("json", tmp_path / "r.json"), Outlet("markdown", tmp_path / "r.md"))

    assert not summary.exists()
    assert json.loads((tmp_path / "r.json").read_text())["exit_code"] == 1


def test_a_summary_that_cannot_be_written_costs_a_line_and_not_the_report(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))

    write(sample.sick(), Outlet("github", None))

    told = capsys.readouterr()
    assert "::error" in told.out
    assert "GITHUB_STEP_SUMMARY" in told.err
    assert "cannot be written: Is a directory" in told.err
