"""`crewdoctor run` of programs whose interpreter C code holds: nobody within can look, and the line is named."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.test_run import BARE, CREW, ended, records, report, start, wait_for

pytestmark = [
    pytest.mark.crewai,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory others may read by its descriptor is Linux's"),
]

HOLDS = {
    "regex": ('re.match(r"(a+)+$", "a" * 64 + "b")', {"cpu"}, "CD303"),
    "sleep": ("ctypes.PyDLL(None).sleep(600)", {"gil"}, "CD304"),
}


def holding(call):
    head = CREW.replace("import os, sys", "import ctypes, os, re, sys")
    tool = head.replace(
        '    return urllib.request.urlopen(os.environ["TOOL_URL"]).read().decode()[:200]', f"    {call}\n    return 'x'"
    )
    return tool + 'print(crew().kickoff(inputs={"dish": "soup"}))\n'


@pytest.mark.parametrize("kind", ["regex", pytest.param("sleep", marks=pytest.mark.long)])
def test_a_tool_that_holds_the_interpreter_is_told_with_its_line(tmp_path, serve, kind):
    call, waiting, expected = HOLDS[kind]
    program = holding(call)
    process = start(tmp_path, program, MODEL_URL=f"http://127.0.0.1:{serve('provider')}/v1")
    recording = tmp_path / "rec.jsonl"
    wait_for(recording, '"name":"tool.call"')
    wait_for(recording, '"source":"faulthandler"', 30)
    time.sleep(12)
    pid = next(each["pid"] for each in records(recording) if each["k"] == "begin")
    os.kill(pid, signal.SIGKILL)
    code, _, _ = ended(process)

    told = report(tmp_path)
    line = next(number for number, text in enumerate(program.splitlines(), 1) if call in text)
    first = told.findings[0]
    assert code == 137
    assert (first.code, first.subject) == (expected, "tool:find_recipe")
    assert (Path(first.location.file).name, first.location.line) == ("main.py", line)
    (hang,) = told.hangs
    assert (hang.frames[0].line, hang.frames[0].source) == (line, call)
    assert hang.waiting in waiting
    assert hang.owners[-1].subject == "tool:find_recipe"


ALONE = """
import ctypes, faulthandler, re, socket, sys, time
if "theirs" in sys.argv:
    faulthandler.dump_traceback_later(60)
ctypes.PyDLL(None).sleep(5)
time.sleep(1.2)
print(sorted({thread.name for thread in __import__("threading").enumerate()}))
"""


@pytest.mark.parametrize(("words", "count"), [((), 1), (("theirs",), 0)])
def test_with_nobody_around_the_process_tells_itself_and_a_clock_in_use_is_left_alone(tmp_path, words, count):
    from crewdoctor.model.recording import RECORD
    from crewdoctor.supervisor.program import HOOK

    (tmp_path / "main.py").write_text(ALONE)
    environment = {**BARE, "PYTHONPATH": str(HOOK), RECORD: str(tmp_path / "r.jsonl")}
    done = subprocess.run(
        [sys.executable, "main.py", *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    seen = [each for each in records(tmp_path / "r.jsonl") if each["k"] == "stack" and "source" in each["attrs"]]

    assert (done.returncode, done.stdout, done.stderr) == (0, "['MainThread']\n", "")
    assert {each["user_frame"]["line"] for each in seen} == ({5} if count else set())
