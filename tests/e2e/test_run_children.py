"""Child processes of a tool, as a recorded program has them: their spans lie in the call that started them."""

import os
import signal
import time
from pathlib import Path

import pytest

from crewdoctor.wire.recording import read_recording
from tests.e2e.test_run import CREW, ended, records, report, start, wait_for

pytestmark = [pytest.mark.crewai, pytest.mark.timeout(300)]

ASKS = """
import os, urllib.request

def ask():
    urllib.request.urlopen(os.environ["TOOL_URL"]).read()

if __name__ == "__main__":
    ask()
"""
FETCHES = '    return urllib.request.urlopen(os.environ["TOOL_URL"]).read().decode()[:200]'
STARTS = {
    "subprocess": 'subprocess.run([sys.executable, "asks.py"], check=True)',
    "shell": 'subprocess.run(f"true; {sys.executable} asks.py; true", shell=True, check=True)',
    "fork": 'one = multiprocessing.get_context("fork").Process(target=asks.ask); one.start(); one.join()',
    "spawn": 'one = multiprocessing.get_context("spawn").Process(target=asks.ask); one.start(); one.join()',
}


def program(*lines):
    tool = CREW.replace(FETCHES, "\n".join(f"    {line}" for line in (*lines, "return 'done'")))
    head = "import asks, multiprocessing, subprocess\n"
    kickoff = 'if __name__ == "__main__":\n    print(crew().kickoff(inputs={"dish": "soup"}))\n'
    return head + tool + kickoff


@pytest.fixture(scope="module")
def model(serve):
    return f"http://127.0.0.1:{serve('provider')}/v1"


def owner_of(span, held):
    while span is not None and span.name != "tool.call":
        span = held.get(span.parent or "")
    return span


def test_what_children_ask_lies_in_the_call_of_their_tool_and_belongs_to_it(tmp_path, serve, model):
    (tmp_path / "asks.py").write_text(ASKS)
    url = f"http://127.0.0.1:{serve('upstream')}/"
    code, _, err = ended(start(tmp_path, program(*STARTS.values()), MODEL_URL=model, TOOL_URL=url), 200)
    recording = read_recording(tmp_path / "rec.jsonl")
    held = {span.id: span for span in recording.spans}
    (call,) = [span for span in recording.spans if span.name == "tool.call"]
    asked = [span for span in recording.spans if span.name == "http.request" and span.step != call.step]

    assert code == 0, err[-3000:]
    assert len({span.step for span in asked}) == len(asked) == len(STARTS)
    assert [owner_of(span, held) for span in asked] == [call] * len(STARTS)
    assert {span.subject for span in asked} == {"tool:find_recipe"}
    # To spawn is to import crewai anew, which a busy machine takes its time for; nothing else is amiss.
    assert {each.code for each in report(tmp_path).findings} <= {"CD303"}


@pytest.mark.long
def test_a_child_that_hangs_is_told_with_the_tool_and_the_host_it_waits_for(tmp_path, serve, model):
    (tmp_path / "asks.py").write_text(ASKS)
    port = serve("upstream", silent=True)
    process = start(tmp_path, program(STARTS["subprocess"]), MODEL_URL=model, TOOL_URL=f"http://127.0.0.1:{port}/")
    wait_for(tmp_path / "rec.jsonl", f'"port":{port}', 120)
    time.sleep(13)
    os.kill(next(each["pid"] for each in records(tmp_path / "rec.jsonl") if each["k"] == "begin"), signal.SIGKILL)
    for each in records(tmp_path / "rec.jsonl"):
        if each["k"] == "begin" and Path(f"/proc/{each['pid']}").exists():
            os.kill(each["pid"], signal.SIGKILL)
    ended(process)

    first = report(tmp_path).findings[0]
    assert (first.code, first.subject) == ("CD304", "tool:find_recipe")
    assert f"127.0.0.1:{port}" in first.message
