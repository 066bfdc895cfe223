"""What libraries said while a program was recorded with `-v`: on the report's clock, the last lines of many."""

import json

from crewdoctor.model.options import Options
from crewdoctor.pipeline import analyse
from crewdoctor.report import json_report, terminal
from crewdoctor.wire.recording import header, read_recording


def recorded(path, count):
    step = "crew.kickoff@7"
    lines = [header(Options(target="python main.py", scope="run", llm="own")), {"k": "begin", "step": step, "at": 0.1}]
    for number in range(count):
        said = {"logger": "httpx", "level": "INFO", "text": f"line {number}"}
        told = {"k": "event", "id": f"7.{number}", "step": step, "name": "log.line", "at": 1.0 + number, "attrs": said}
        lines.append(told)
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return analyse(read_recording(path))


def test_lines_stand_in_the_json_and_on_the_screen_of_a_verbose_report(tmp_path):
    report = recorded(tmp_path / "r.jsonl", 3)
    held = json.loads(json_report.render(report))["environment"]["log_lines"]

    assert held["count"] == 3
    assert held["lines"][0] == {"at": 1.0, "logger": "httpx", "level": "INFO", "text": "line 0"}
    assert "3.000 s  httpx  line 2" in terminal.render(report, verbosity=1)
    assert "line 2" not in terminal.render(report)


def test_of_many_lines_the_last_are_shown_and_the_rest_counted(tmp_path):
    report = recorded(tmp_path / "r.jsonl", 700)
    shown = terminal.render(report, verbosity=1)

    assert (report.environment["log_lines"]["count"], len(report.environment["log_lines"]["lines"])) == (700, 500)
    assert "640 before these" in shown
    assert "httpx  line 699" in shown


def test_a_program_that_was_not_asked_to_be_verbose_has_none(tmp_path):
    assert "log_lines" not in recorded(tmp_path / "r.jsonl", 0).environment
