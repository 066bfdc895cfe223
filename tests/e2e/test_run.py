"""`crewdoctor run` and the hook: a program is what it was, and its recording holds what it waited for."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crewdoctor.model.recording import RECORD, RECORDING
from crewdoctor.pipeline import analyse
from crewdoctor.supervisor.program import HOOK
from crewdoctor.wire.recording import read_recording
from tests.contracts.test_lending import others

BARE = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("OPENAI", "CREWDOCTOR", "MODEL", "PYTHONPATH")) and not name.lower().endswith("_proxy")
}
QUIET = {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false"}
CREW = '''
import os, sys, urllib.request
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

@tool("find_recipe")
def find_recipe(subject: str) -> str:
    """Find a recipe."""
    return urllib.request.urlopen(os.environ["TOOL_URL"]).read().decode()[:200]

def crew():
    llm = LLM(model="openai/m", base_url=os.environ["MODEL_URL"], api_key="sk-of-nobody-1234567890")
    cook = Agent(role="cook", goal="g", backstory="the secret backstory", tools=[find_recipe], llm=llm)
    return Crew(agents=[cook], tasks=[Task(description="Find {dish}", expected_output="a recipe", agent=cook)])
'''
MAIN = CREW + 'print("answer:", crew().kickoff(inputs={"dish": "soup"}))\nsys.exit(int(os.environ.get("CODE", "0")))\n'
SERVED = (
    CREW
    + """
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(crew().kickoff(inputs={"dish": "soup"})).encode())

server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.handle_request()
"""
)


def start(folder, program, *options, python=sys.executable, command=(), module=True, **environment):
    """`crewdoctor run` of a program, SIGINT as an interactive shell leaves it."""
    (folder / "main.py").write_text(program)
    bare = command or [python, "main.py"]
    return subprocess.Popen(
        [sys.executable, "-m", "crewdoctor", "run", *options, "--recording", "rec.jsonl", "--", *bare]
        if module
        else bare,
        cwd=folder,
        env={**BARE, "PYTHONPATH": str(Path(__file__).parents[2]), **QUIET, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread runs here
    )


def ended(process, seconds=90):
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def report(folder, name="rec.jsonl"):
    return analyse(read_recording(folder / name))


def records(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def wait_for(path, text, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if path.exists() and text in path.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"{text} was never recorded")


def test_a_healthy_program_is_what_it_was_and_its_report_is_silent(tmp_path, model, healthy):
    places = {"MODEL_URL": model, "TOOL_URL": healthy, "CODE": "7"}
    bare = ended(start(tmp_path, MAIN, module=False, **places))
    code, out, err = ended(start(tmp_path, MAIN, **places))

    assert (code, out) == (bare[0], bare[1])
    assert code == 7
    assert "No mismatch found" in err
    held = report(tmp_path)
    assert held.findings == ()
    assert {"import", "kickoff", "exit"} == {each["name"] for each in held.environment["clocks"]}
    (call,) = [bar for bar in held.waterfall if bar.name == "tool.call"]
    assert call.subject == "tool:find_recipe"
    text = (tmp_path / "rec.jsonl").read_text()
    assert "sk-of-nobody" not in text
    assert "secret backstory" not in text


@pytest.mark.parametrize(("number", "whom"), [("SIGTERM", "wrapper"), ("SIGKILL", "program"), ("SIGINT", "wrapper")])
def test_a_hang_that_is_given_up_is_told_with_its_line(tmp_path, model, silent, number, whom):
    process = start(tmp_path, MAIN, MODEL_URL=model, TOOL_URL=silent)
    recording = tmp_path / "rec.jsonl"
    wait_for(recording, '"tool.call"')
    program = next(each["pid"] for each in records(recording) if each["k"] == "begin")
    time.sleep(11)
    os.kill(process.pid if whom == "wrapper" else program, getattr(signal, number))
    if number == "SIGINT":  # crewai joins the thread of its tool: the bare program goes on as well
        wait_for(recording, '"program.lingers"', 20)
        os.kill(program, signal.SIGKILL)
    code, _, err = ended(process)

    assert code == (137 if number == "SIGINT" else 128 + getattr(signal, number))
    finding = report(tmp_path).findings[0]
    assert (finding.code, finding.subject) == ("CD304", "tool:find_recipe")
    assert finding.location.file.endswith("main.py")
    assert (
        finding.location.line == MAIN.splitlines().index(next(row for row in MAIN.splitlines() if "urlopen" in row)) + 1
    )
    assert err.count("CD304 tool_hangs") == 1 + err.count("the first cause is CD304")
    assert not Path(f"/proc/{program}").exists()


def test_a_crash_keeps_its_traceback_and_its_code(tmp_path, model, healthy):
    crash = CREW + 'crew()\nraise ValueError("boom")\n'
    code, out, err = ended(start(tmp_path, crash, MODEL_URL=model, TOOL_URL=healthy))

    assert (code, out) == (1, "")
    assert "ValueError: boom" in err
    assert "No crew was started" in err
    (process,) = [each for each in read_recording(tmp_path / "rec.jsonl").results if "program" in each.facts]
    assert process.facts["error"] == "boom"
    assert process.facts["raised_at"]["file"].endswith("main.py")


def test_a_server_that_kicks_off_a_crew_is_recorded(tmp_path, model, healthy):
    import urllib.request

    process = start(tmp_path, SERVED, MODEL_URL=model, TOOL_URL=healthy)
    port = int(process.stdout.readline())
    assert urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60).status == 200
    code, _, _ = ended(process)

    assert code == 0
    assert report(tmp_path).crew == "crew"
    assert report(tmp_path).findings == ()


CHILDREN = """
import multiprocessing, os, subprocess, sys, urllib.request

def ask():
    urllib.request.urlopen(os.environ["TOOL_URL"]).read()

if __name__ == "__main__":
    for method in ("fork", "spawn"):
        child = multiprocessing.get_context(method).Process(target=ask)
        child.start()
        child.join()
    again = "import os, urllib.request; urllib.request.urlopen(os.environ['TOOL_URL']).read()"
    subprocess.run([sys.executable, "-c", again], check=True)
    subprocess.run([sys.executable, "-I", "-c", again], check=True)
    ask()
"""


def test_processes_of_the_program_are_recorded_too_but_not_isolated_ones(tmp_path, healthy):
    code, _, err = ended(start(tmp_path, CHILDREN, TOOL_URL=healthy))
    held = read_recording(tmp_path / "rec.jsonl")
    asked = [span.step for span in held.spans if span.name == "http.request"]

    assert code == 0, err
    assert len(asked) == len(set(asked)) == 4
    assert all(span.failure is None and span.end is not None for span in held.spans)


ASKS = "import os, urllib.request\nprint(len(urllib.request.urlopen(os.environ['TOOL_URL']).read()) > 0)\n"


def hooked(folder, *command, **environment):
    """A program with the hook on its path, as an image's variables would have it."""
    done = subprocess.run(
        [str(each) for each in command],
        cwd=folder,
        env={**BARE, "PYTHONPATH": str(HOOK), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "version", [sys.version_info[:2], *(pytest.param(each, marks=pytest.mark.long) for each in sorted(others()))]
)
def test_an_interpreter_without_crewdoctor_records_itself(tmp_path, healthy, version):
    python = {sys.version_info[:2]: sys.executable, **others()}[version]
    code, out, err = hooked(tmp_path, python, "-c", ASKS, TOOL_URL=healthy, **{RECORD: str(tmp_path / "r.jsonl")})
    held = read_recording(tmp_path / "r.jsonl")

    assert (code, out, err) == (0, "True\n", "")
    assert [span.attrs["host"] for span in held.spans if span.name == "http.request"] == ["127.0.0.1"]
    assert held.interrupted == ""
    assert [note["text"] for note in held.notes] == []


def test_an_isolated_interpreter_and_one_without_the_variable_record_nothing(tmp_path, healthy):
    variable = {RECORD: str(tmp_path / "r.jsonl")}
    shows = "import sys; print([name for name in sys.modules if name.startswith('crewdoctor')], len(sys.meta_path))"
    isolated = hooked(tmp_path, sys.executable, "-I", "-c", ASKS, TOOL_URL=healthy, **variable)
    without = hooked(tmp_path, sys.executable, "-c", f"{ASKS}{shows}", TOOL_URL=healthy)
    bare = hooked(tmp_path, sys.executable, "-c", f"{ASKS}{shows}", TOOL_URL=healthy, PYTHONPATH="")

    assert isolated == (0, "True\n", "")
    assert without == bare
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("version", [sys.version_info[:2], *sorted(others())])
def test_a_sitecustomize_further_down_the_path_is_imported(tmp_path, recorded, version):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "sitecustomize.py").write_text("import sys\nsys.theirs = __file__\n")
    python = {sys.version_info[:2]: sys.executable, **others()}[version]
    program = "import socket, sys, sitecustomize; print(sys.theirs == sitecustomize.__file__, len(sys.path))"
    variables = {RECORD: str(tmp_path / "r.jsonl")} if recorded else {}
    with_hook = hooked(tmp_path, python, "-c", program, PYTHONPATH=f"{HOOK}:{tmp_path / 'theirs'}", **variables)
    bare = hooked(tmp_path, python, "-c", program, PYTHONPATH=str(tmp_path / "theirs"))

    assert with_hook == bare
    assert bare[1].startswith("True")


def test_a_broken_sitecustomize_is_as_broken_as_without_the_hook(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("raise RuntimeError('theirs')\n")
    with_hook = hooked(tmp_path, sys.executable, "-c", "print(1)", PYTHONPATH=f"{HOOK}:{tmp_path}")
    bare = hooked(tmp_path, sys.executable, "-c", "print(1)", PYTHONPATH=str(tmp_path))

    assert with_hook == bare


def test_a_second_run_keeps_the_first_ones_recording(tmp_path, healthy):
    variable = {RECORD: str(tmp_path / "r.jsonl")}
    for _ in range(2):
        assert hooked(tmp_path, sys.executable, "-c", ASKS, TOOL_URL=healthy, **variable)[2] == ""

    assert len(list(tmp_path.glob("r*.jsonl"))) == 2
    for each in tmp_path.glob("r*.jsonl"):
        assert len([span for span in read_recording(each).spans if span.name == "http.request"]) == 1


def test_a_recording_that_cannot_be_written_says_so_and_the_program_runs(tmp_path, healthy):
    code, out, err = hooked(
        tmp_path, sys.executable, "-c", ASKS, TOOL_URL=healthy, **{RECORD: str(tmp_path / "no" / "r.jsonl")}
    )

    assert (code, out) == (0, "True\n")
    assert err.startswith("crewdoctor: not recorded (FileNotFoundError")


@pytest.mark.parametrize(
    "module", ["ssl", "asyncio", "platform", "email.message", "concurrent.futures", "sqlite3", "crewai"]
)
@pytest.mark.parametrize("version", [sys.version_info[:2], *sorted(others())])
def test_whatever_is_imported_first_is_whole_and_there_once(tmp_path, module, version):
    python = {sys.version_info[:2]: sys.executable, **others()}[version]
    (tmp_path / "crewai.py").write_text("import socket\n")
    program = (
        f"import {module}, socket, sys; import http.client, urllib.request; print(sys.modules['socket'] is socket)"
    )
    done = hooked(tmp_path, python, "-c", program, **{RECORD: str(tmp_path / "r.jsonl")})

    assert done == (0, "True\n", "")


EXITS = """
import threading, time
def upload():
    time.sleep(6)
threading.Thread(target=upload, name="uploader").start()
print("done")
"""


def test_the_end_that_waits_for_a_thread_is_timed_and_named(tmp_path):
    code, out, _ = ended(start(tmp_path, "import socket\n" + EXITS))
    (finding,) = report(tmp_path).findings

    assert (code, out) == (0, "done\n")
    assert finding.code == "CD703"
    assert "the thread `uploader`" in finding.message
    assert finding.location.function == "upload"


COUNTS = """
import signal, socket, sys, time
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
print("said", input(), sys.stdin.isatty(), sys.stdout.isatty(), flush=True)
until = time.monotonic() + 20
while not seen and time.monotonic() < until:
    time.sleep(0.1)
time.sleep(0.5)
print("seen", len(seen), flush=True)
"""


def test_on_a_terminal_the_program_has_it_and_ctrl_c_comes_once(tmp_path):
    (tmp_path / "main.py").write_text(COUNTS)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        environment = {**BARE, "PYTHONPATH": str(Path(__file__).parents[2])}
        python = sys.executable
        os.execve(
            python, [python, "-m", "crewdoctor", "run", "-q", "--recording", "r", "--", python, "main.py"], environment
        )
    shown = b""
    os.write(terminal, b"hello\n")
    until = time.monotonic() + 60
    pressed = False
    while time.monotonic() < until and b"ended" not in shown and b"exited" not in shown:
        try:
            shown += os.read(terminal, 4096)
        except OSError:
            break
        if b"True True" in shown and not pressed:
            pressed = True
            os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)

    assert b"said hello True True" in shown
    assert b"seen 1" in shown
    assert os.waitstatus_to_exitcode(status) == 0


THREADED = """
import os, socket, threading, warnings
warnings.simplefilter("error")
print(threading.active_count(), threading.enumerate() == [threading.main_thread()])
child = os.fork()
if child == 0:
    os._exit(threading.active_count())
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
os.closerange(3, 4096)
with open("theirs.txt", "w") as file, open(os.devnull), open(os.devnull), socket.socket() as held:
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    file.write("mine")
with open("theirs.txt") as file:
    print(file.read())
"""


@pytest.mark.parametrize("version", [sys.version_info[:2], *sorted(others())])
def test_threads_forks_and_descriptors_are_the_programs_own(tmp_path, version):
    python = {sys.version_info[:2]: sys.executable, **others()}[version]
    done = hooked(tmp_path, python, "-c", THREADED, **{RECORD: str(tmp_path / "r.jsonl")})

    assert done == (0, "1 True\n1\nmine\n", "")


def test_a_program_that_becomes_another_one_is_two(tmp_path):
    again = (
        "import os, sys\nimport socket\nif len(sys.argv) < 2:\n    os.execv(sys.executable, [*sys.orig_argv, 'x'])\n"
    )
    (tmp_path / "main.py").write_text(again)
    assert hooked(tmp_path, sys.executable, "main.py", **{RECORD: str(tmp_path / "r.jsonl")}) == (0, "", "")

    held = [each.step.id for each in read_recording(tmp_path / "r.jsonl").results]
    assert len(held) == len(set(held)) == 2


def test_what_is_not_there_is_told_and_nothing_started(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "crewdoctor", "run", "--", "no-such-program"],
        cwd=tmp_path,
        env={**BARE, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 127
    assert "no-such-program: no such program" in done.stderr


def test_with_fail_on_a_program_that_ended_well_fails_on_findings(tmp_path):
    code, _, _ = ended(start(tmp_path, "import socket\n" + EXITS, "--fail-on", "warning"))

    assert code == 1


def test_the_hooks_variables_reach_no_file_and_the_folder_holds_one():
    assert [each.name for each in HOOK.iterdir() if each.suffix == ".py"] == ["sitecustomize.py"]
    assert RECORDING.startswith(RECORD)


def test_with_v_what_crewai_and_the_sdk_say_stands_on_the_timeline_without_content(tmp_path, model, healthy):
    code, _, err = ended(start(tmp_path, MAIN, "-v", "-o", "r.json", MODEL_URL=model, TOOL_URL=healthy))
    held = json.loads((tmp_path / "r.json").read_text())["environment"]["log_lines"]
    said = {each["logger"].partition(".")[0] for each in held["lines"]}
    text = "\n".join(each["text"] for each in held["lines"])

    assert code == 0, err[-2000:]
    assert {"crewai", "httpx", "openai"} <= said
    assert [each["at"] for each in held["lines"]] == sorted(each["at"] for each in held["lines"])
    assert any("chat/completions" in each["text"] for each in held["lines"])
    assert [word for word in ("sk-of-nobody", "secret backstory", "soup") if word in text] == []
