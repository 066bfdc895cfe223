"""Bad input, at the command line: one clear sentence on stderr (what, where, what to do) and the documented exit code.

Two kinds. What is wrong before anything is started is *refused*: stderr holds that one line, stdout nothing. What is
found out by loading the target is *reported*: the report is on stdout, and stderr says the sentence once, among its
progress. Nobody ever sees a traceback.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
USAGE, NOT_DIAGNOSED, FOUND = 2, 3, 1
BARE = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("OPENAI", "CREWDOCTOR", "MODEL")) and not name.lower().endswith("_proxy")
} | {"PYTHONPATH": str(ROOT)}

CREW = """
from crewai import LLM, Agent, Crew, Task
llm = LLM(model="openai/gpt-4o", base_url="http://{host}/v1", api_key="a-key-of-mine-01")
worker = Agent(role="Worker", goal="g", backstory="b", llm=llm, max_retry_limit=0)
job = Task(description="d {{topic}} {{year}}", expected_output="e", agent=worker)
one = Crew(agents=[worker], tasks=[job])
"""
HEADER = {"k": "header", "header": {"format": "crewdoctor.recording/1"}}


def line(record):
    return json.dumps(record) + "\n"


@dataclass(frozen=True)
class Case:
    """What is typed, in a folder that holds `files`; what stderr says; the exit code."""

    typed: list[str]
    told: list[str]
    """Words of the sentence: what, where, what to do."""
    code: int = USAGE
    files: dict[str, str | bytes] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


def config(text, *told, **given):
    return Case(["diagnose", "crew.py"], list(told), files={"crew.py": "", "pyproject.toml": text}, **given)


def flags(*typed):
    return {"typed": ["diagnose", "crew.py", *typed], "files": {"crew.py": ""}}


REFUSED = {
    "missing file": Case(["diagnose", "nope.py"], ["nope.py: no such file", "crewdoctor diagnose crew.py"]),
    "missing file, of another command": Case(
        ["settings", "nope.py"], ["nope.py: no such", "crewdoctor settings crew.py"]
    ),
    "missing file, of a tool's": Case(["probe-tool", "nope.py", "t"], ["no such", "crewdoctor probe-tool crew.py t"]),
    "missing file, with a name": Case(["diagnose", "nope.py:crew"], ["nope.py: no such file"]),
    "folder": Case(["diagnose", "src"], ["src", "no crew"], files={"src/readme.md": ""}),
    "bad value in the config": config(
        "[tool.crewdoctor]\ndeadline = 'soon'", "pyproject.toml: 'soon' is not a duration", "write 120s"
    ),
    "broken TOML": config("[tool.crewdoctor\n", "pyproject.toml: not valid TOML", "line 1"),
    "unknown key in the config": config(
        "[tool.crewdoctor]\ndeadlin = 3", "pyproject.toml: unknown option 'deadlin'", "did you mean deadline?"
    ),
    "config that is no text": Case(
        ["diagnose", "crew.py"], ["crewdoctor.toml: not valid TOML"], files={"crew.py": "", "crewdoctor.toml": b"\xff="}
    ),
    "bad value in the environment": Case(
        ["diagnose", "crew.py"],
        ["env CREWDOCTOR_MAX_LLM_CALLS: max-llm-calls cannot be 'many'", "write a number"],
        files={"crew.py": ""},
        environment={"CREWDOCTOR_MAX_LLM_CALLS": "many"},
    ),
    "malformed inputs": Case(told=["--inputs: not valid JSON", '{"topic": "x"}'], **flags("--inputs", '{"topic":')),
    "inputs that are no object": Case(
        told=["--inputs: expected an object", '{"topic": "x"}'], **flags("--inputs", "3")
    ),
    "missing inputs file": Case(
        told=["--inputs-file in.json: cannot be read: No such file"], **flags("--inputs-file", "in.json")
    ),
    "malformed inputs file": Case(
        ["diagnose", "crew.py", "--inputs-file", "in.json"],
        ["--inputs-file in.json: not valid JSON", '{"topic": "x"}'],
        files={"crew.py": "", "in.json": "{"},
    ),
    "both kinds of inputs": Case(
        told=["--inputs and --inputs-file: give one of them"], **flags("--inputs", "{}", "--inputs-file", "in.json")
    ),
    "unknown format": Case(told=["--format yaml: unknown", "write rich, ", " or "], **flags("--format", "yaml")),
    "two formats on stdout": Case(
        told=["rich and json would both go to stdout", "-o FILE"], **flags("--format", "rich", "--format", "json")
    ),
    "bad duration": Case(told=["--deadline: 'soon' is not a duration", "write 120s"], **flags("--deadline", "soon")),
    "no time at all": Case(told=["--deadline: a duration is longer than 0 s"], **flags("--deadline", "0")),
    "unknown model choice": Case(told=["--llm: 'openai' is not one of auto, own"], **flags("--llm", "openai")),
    "unknown severity": Case(told=["--fail-on: 'info' is not one of error"], **flags("--fail-on", "info")),
    "unknown colour": Case(told=["--color pink: write auto"], **flags("--color", "pink")),
    "negative count": Case(told=["--max-llm-calls: a count is 0 or more"], **flags("--max-llm-calls", "-1")),
    "count that is none": Case(
        told=["invalid value for '--max-llm-calls'", "integer", "see `crewdoctor diagnose"],
        **flags("--max-llm-calls", "x"),
    ),
    "unknown rule selected": Case(
        told=["--select: no rule is called CD999", "write CD301"], **flags("--select", "CD999")
    ),
    "unknown rule ignored": Case(told=["--ignore: no rule is called slow"], **flags("--ignore", "CD301,slow")),
    "unknown interpreter": Case(told=["--python /nope: not an interpreter", "path of"], **flags("--python", "/nope")),
    "output without a folder": Case(
        told=["-output no/r.json: there is no folder", "create it"], **flags("-o", "no/r.json")
    ),
    "output that is a folder": Case(
        ["diagnose", "crew.py", "-o", "r.json"],
        ["--output r.json: cannot be written: Is a directory", "give another file"],
        files={"crew.py": "", "r.json/x": ""},
    ),
    "output that cannot be": Case(told=["--output /proc/r.json: cannot be written"], **flags("-o", "/proc/r.json")),
    "recording without a folder": Case(
        told=["--recording no/r.jsonl: there is no folder", "create it"], **flags("--recording", "no/r.jsonl")
    ),
    "recording that is a folder": Case(
        ["diagnose", "crew.py", "--recording", "r"],
        ["--recording r: cannot be written"],
        files={"crew.py": "", "r/x": ""},
    ),
    "unknown flag": Case(told=["o such option", "--deadlin", "crewdoctor diagnose --help"], **flags("--deadlin", "3s")),
    "unknown command": Case(["diagnos", "crew.py"], ["o such command", "diagnos", "see `crewdoctor --help`"]),
    "no recording": Case(["analyse"], ["missing argument 'recording'", "see `crewdoctor analyse --help`"]),
    "missing recording": Case(["analyse", "r.jsonl"], ["r.jsonl: cannot be read: No such file", "made by"]),
    "unreadable recording": Case(["analyse", "r"], ["r: cannot be read: Is a directory", "made by"], files={"r/x": ""}),
    "empty recording": Case(
        ["analyse", "r.jsonl"], ["r.jsonl: not a recording", "it is empty", "made by"], files={"r.jsonl": ""}
    ),
    "truncated recording": Case(
        ["analyse", "r.jsonl"], ["r.jsonl: not a recording", "cut off"], files={"r.jsonl": line(HEADER)[:30]}
    ),
    "garbage for a recording": Case(
        ["analyse", "r.jsonl"], ["r.jsonl: not a recording", "made by"], files={"r.jsonl": b"\x00\xff\n{}\n[1]\n" * 99}
    ),
    "recording of another format": Case(
        ["analyse", "r.jsonl"],
        ["r.jsonl: its format is 'crewdoctor.recording/9'", "this version reads 'crewdoctor.recording/1'"],
        files={"r.jsonl": line({"k": "header", "header": {"format": "crewdoctor.recording/9"}})},
    ),
    "report over a folder": Case(
        ["analyse", "r.jsonl", "-o", "o.json"],
        ["--output o.json: cannot be written", "give another file"],
        files={"r.jsonl": line(HEADER), "o.json/x": ""},
    ),
    "rule of a family": Case(["explain", "CD399"], ["no rule CD399", "CD301", "`crewdoctor rules` lists"]),
    "misspelt rule": Case(["explain", "tool_hang"], ["no rule tool_hang", "tool_hangs", "`crewdoctor rules` lists"]),
    "no rule at all": Case(["explain", "latency?"], ["no rule latency?", "`crewdoctor rules` lists"]),
    "bad fault": Case(["endpoint", "--fault", "999"], ["--fault 999: write a status and a probability"]),
    "bad rate": Case(["endpoint", "--rate-limit", "3"], ["--rate-limit 3: write requests per time"]),
    "demo over files": Case(["demo", "d"], ["d: is not an empty folder", "give a new one"], files={"d/x": ""}),
}

LOADED = {
    "syntax error": Case(
        ["diagnose", "crew.py"],
        ["syntax error at crew.py:2", "correct it"],
        NOT_DIAGNOSED,
        {"crew.py": "x = 1\ndef broken(:\n"},
    ),
    "no crew in the file": Case(
        ["diagnose", "crew.py"], ["crew.py holds no crew", "crew.py:name"], NOT_DIAGNOSED, {"crew.py": "x = 1\n"}
    ),
    "two crews": Case(
        ["diagnose", "crew.py"],
        ["crew.py has 2 crews: `one`, `two`", "choose one: crew.py:one"],
        USAGE,
        {"crew.py": CREW.format(host="127.0.0.1:9") + "two = Crew(agents=[worker], tasks=[job])\n"},
    ),
    "a name that is not there": Case(
        ["diagnose", "crew.py:three"], ["no `three`", "`one`"], USAGE, {"crew.py": CREW.format(host="127.0.0.1:9")}
    ),
    "missing inputs": Case(
        ["diagnose", "crew.py", "--inputs", '{"topic": "x"}'],
        ["inputs nobody gave: year", "--inputs"],
        USAGE,
        {"crew.py": CREW.format(host="127.0.0.1:9")},
    ),
    "an interpreter without crewai": Case(
        ["diagnose", "crew.py", "--python", "bare/bin/python"],
        ["crewai is not installed for", "name the interpreter that holds it with --python"],
        NOT_DIAGNOSED,
        {"crew.py": "import crewai\n"},
    ),
    "no interpreter at all": Case(
        ["diagnose", "crew.py", "--python", "/bin/false"],
        ["while it started (/bin/false)", "with --python"],
        NOT_DIAGNOSED,
        {"crew.py": "import crewai\n"},
    ),
}
UNKNOWN_HOST = Case(
    ["diagnose", "crew.py", "--inputs", '{"topic": "x", "year": 1}'],
    [],
    FOUND,
    {"crew.py": CREW.format(host="model.nowhere.invalid")},
)


def typed(case, folder, *more):
    for name, text in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    ran = subprocess.run(
        [sys.executable, "-m", "crewdoctor", *case.typed, *more],
        cwd=folder,
        env=BARE | case.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert "Traceback" not in ran.stdout + ran.stderr
    return ran


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_from_the_start_is_refused_in_one_sentence(name, tmp_path):
    case = REFUSED[name]

    ran = typed(case, tmp_path)

    assert (ran.returncode, ran.stdout) == (case.code, ""), ran.stderr
    (sentence,) = ran.stderr.splitlines()
    assert re.match(r"crewdoctor: \S", sentence)
    for words in case.told:
        assert words in sentence
    assert not list(tmp_path.glob(".crewdoctor/*.jsonl")), "nothing was started, so nothing was recorded"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Every target that must be loaded to be judged, two at a time: each costs an import of crewai."""
    folders = {name: tmp_path_factory.mktemp("bad") for name in (*LOADED, "unknown host")}
    bare = folders["an interpreter without crewai"] / "bare" / "bin" / "python"
    bare.parent.mkdir(parents=True)
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n', encoding="utf-8")
    bare.chmod(0o755)

    def run(name):
        return typed(LOADED.get(name, UNKNOWN_HOST), folders[name], "--format", "json")

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(folders, pool.map(run, folders), strict=True))


@pytest.mark.crewai
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", LOADED)
def test_what_loading_finds_wrong_is_said_once_and_reported(loaded, name):
    case, ran = LOADED[name], loaded[name]

    assert ran.returncode == case.code, ran.stderr
    said = [line for line in ran.stderr.splitlines() if case.told[0] in line]
    assert len(said) == 1, ran.stderr
    report = json.loads(ran.stdout)
    first = report["findings"][0]
    assert report["exit_code"] == case.code
    assert (first["layer"], first["fix"] is not None) == ("settings", True)
    for words in case.told:
        assert words in said[0]
    assert all(words in f"{first['message']} {first['fix']}" for words in case.told[1:])
    assert set(re.findall(r"`\w+`", said[0])) <= set(re.findall(r"`\w+`", first["message"]))


@pytest.mark.crewai
@pytest.mark.timeout(240)
def test_a_host_that_does_not_exist_is_no_bad_input_but_a_diagnosis(loaded):
    ran = loaded["unknown host"]

    assert ran.returncode == FOUND, ran.stderr
    first = json.loads(ran.stdout)["findings"][0]
    assert (first["slug"], first["layer"]) == ("name_does_not_resolve", "network")
    assert "model.nowhere.invalid" in first["subject"]


@pytest.mark.parametrize("records", [[HEADER], [HEADER, {"k": "begin", "step": "inspect@crew.py", "at": 0.1}]])
def test_a_recording_that_ends_early_says_so_and_accuses_nobody(records, tmp_path):
    (tmp_path / "r.jsonl").write_text("".join(map(line, records)) + '{"k": "op')

    ran = typed(Case(["analyse", "r.jsonl", "--format", "json"], []), tmp_path)

    report = json.loads(ran.stdout)
    assert (ran.returncode, ran.stderr) == (NOT_DIAGNOSED, "")
    assert report["findings"] == []
    assert report["verdict"] == "the target could not be diagnosed: the recording ends before it had loaded"
