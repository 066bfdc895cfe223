import socket
import threading
from contextlib import suppress

import pytest

pytestmark = pytest.mark.crewai

CREW = """
from crewai import LLM, Agent, Crew, Task
llm = LLM(model="openai/gpt-4o", base_url="http://127.0.0.1:9/v1", api_key="k-of-mine")
worker = Agent(role="Worker", goal="g", backstory="b", llm=llm)
job = Task(description="d", expected_output="e", agent=worker)
"""
SOCKS = "import os\nos.environ['ALL_PROXY'] = 'socks5://user:w0rd-of-mine@127.0.0.1:1080'\n"
MADE = "Crew(agents=[worker], tasks=[job])"

# name: files, target, kind, usage, words of the sentence, words of the way out
REFUSALS = {
    "no file": ({"a.py": ""}, "crew.py", "missing_file", True, "no such file", "give the file"),
    "syntax": (
        {"crew.py": "x = 1\ndef broken(:\n"},
        "crew.py",
        "syntax",
        False,
        "crew.py:2: invalid syntax",
        "correct",
    ),
    "syntax inside": ({"crew.py": "import part", "part.py": "a ="}, "crew.py", "syntax", False, "part.py:1", "correct"),
    "no crew": ({"crew.py": "x = 1"}, "crew.py", "no_crew", False, "crew.py holds no crew", "crew.py:name"),
    "two crews": (
        {"crew.py": f"{CREW}\none = {MADE}\ntwo = {MADE}"},
        "crew.py",
        "several_crews",
        True,
        "2 crews: `one`, `two`",
        "crew.py:one",
    ),
    "two factories": (
        {"crew.py": "from crewai import Crew\ndef a() -> Crew: ...\ndef b() -> Crew: ..."},
        "crew.py",
        "several_crews",
        True,
        "`a`, `b`",
        "crew.py:a",
    ),
    "no such name": ({"crew.py": f"{CREW}\none = {MADE}"}, "crew.py:two", "no_such_name", True, "no `two`", "`one`"),
    "not a crew": ({"crew.py": "x = 1"}, "crew.py:x", "no_such_name", True, "`x` is a int", "Crew"),
    "too early": (
        {"crew.py": f"{CREW}\n{MADE}.kickoff()\nlater = {MADE}"},
        "crew.py:later",
        "no_such_name",
        True,
        "`later` is not there yet",
        "__main__",
    ),
    "socks": (
        {"crew.py": f"{SOCKS}{CREW}\ncrew = {MADE}"},
        "crew.py",
        "socks_extra",
        False,
        "ALL_PROXY names the SOCKS proxy socks5://127.0.0.1:1080, and httpx cannot even be constructed",
        "pip install 'httpx[socks]'",
    ),
    "package": (
        {"crew.py": "import bs4_not_there"},
        "crew.py",
        "missing_package",
        False,
        "`bs4_not_there`, which is not installed (crew.py:1)",
        "pip install bs4-not-there",
    ),
    "package of a tool": (
        {"crew.py": "import tools", "tools.py": "\nimport cv2.gone"},
        "crew.py",
        "missing_package",
        False,
        "`cv2`, which is not installed (tools.py:2)",
        "pip install opencv-python",
    ),
    "extra": (
        {"crew.py": "from crewai import LLM\nLLM(model='groq/llama-3.1-8b-instant')"},
        "crew.py",
        "missing_package",
        False,
        "LiteLLM",
        "crewai[litellm]",
    ),
    "variable": (
        {"crew.py": "import os\nHOST = os.environ['SVC_HOST']"},
        "crew.py",
        "missing_variable",
        False,
        "SVC_HOST, which is not set (crew.py:2)",
        ".env",
    ),
    "provider key": (
        {"crew.py": "from crewai import LLM\nllm = LLM(model='openrouter/a/b')"},
        "crew.py",
        "missing_variable",
        False,
        "OPENROUTER_API_KEY",
        "export OPENROUTER_API_KEY",
    ),
    "argument": (
        {"crew.py": f"{CREW}\ndef build(tenant, *, zone='a') -> Crew:\n    return {MADE}"},
        "crew.py",
        "missing_argument",
        True,
        "`build` needs an argument: tenant",
        "without parameters",
    ),
    "moved": (
        {"crew.py": "from crewai import tool"},
        "crew.py",
        "other_version",
        False,
        "`from crewai import tool` does not exist in crewai 1.15.30 (crew.py:1)",
        "from crewai.tools import tool",
    ),
    "gone": (
        {"crew.py": "from crewai.agents.executor_of_old import X"},
        "crew.py",
        "other_version",
        False,
        "crewai.agents.executor_of_old",
        "install the crewai it was written for",
    ),
    "old field": (
        {"crew.py": f"{CREW}\nTask(description='d', agent=worker)"},
        "crew.py",
        "other_version",
        False,
        "`expected_output`",
        "expected_output=...",
    ),
    "exits": ({"crew.py": "import sys\nsys.exit('bye')"}, "crew.py", "exits", False, "sys.exit", "crew.py:name"),
    "asks": ({"crew.py": "name = input('? ')"}, "crew.py", "reads_stdin", False, "standard input", "__main__"),
    "file": ({"crew.py": "open('prompts/a.txt')"}, "crew.py", "missing_file", False, "prompts/a.txt", "relative to"),
    "raises": (
        {"crew.py": "def f():\n    1 / 0\nf()"},
        "crew.py",
        "raises",
        False,
        "division by zero (crew.py:2)",
        "crew.py",
    ),
    "relative": (
        {"crew.py": "from .part import x", "part.py": "x = 1"},
        "crew.py",
        "raises",
        False,
        "relative import (crew.py:1)",
        "__init__.py",
    ),
    "flow": (
        {
            "crew.py": "from crewai.flow.flow import Flow, start\nclass Days(Flow):\n    @start()\n"
            "    def first(self):\n        1 / 0\nif __name__ == '__main__':\n    Days().kickoff()"
        },
        "crew.py",
        "flow",
        False,
        "its method `first` raises ZeroDivisionError",
        "name the crew it runs",
    ),
    "not python": ({"crew.txt": "x"}, "crew.txt", "missing_file", True, "not a Python file", "give the file"),
}

CONTACTS = (
    "import urllib.request\n\n\ndef ask():\n    return urllib.request.urlopen('http://localhost:{port}/')\n\n\nask()\n"
)


@pytest.fixture(scope="module")
def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]  # bound and never listening: connections are refused


@pytest.fixture(scope="module")
def silent_port():
    held = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            with suppress(OSError):
                while True:
                    held.append(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for each in held:
        each.close()


@pytest.fixture(scope="module")
def refused(projects, closed_port, silent_port):
    for name, (files, target, *_) in REFUSALS.items():
        projects.add(name, files, target, llm="own")
    projects.add("no crewai", {"crew.py": "import crewai"}, without=["crewai"])
    projects.add("contacts", {"crew.py": CONTACTS.format(port=closed_port)})
    waits = CONTACTS.format(port=silent_port).replace("/')", "/', timeout=4)")
    waits = waits.replace("\nask()", "\ntry:\n    ask()\nexcept OSError:\n    pass\n")
    projects.add("deadline", {"crew.py": f"{waits}{CREW}\ncrew = {MADE}"}, seconds=2.5)
    return projects.load()


@pytest.mark.parametrize("name", REFUSALS)
def test_what_does_not_load_says_why_and_the_way_out(refused, name):
    _, _, kind, usage, sentence, way_out = REFUSALS[name]
    failure = refused[name]["facts"]["load_failure"]
    assert failure["kind"] == kind, failure
    assert failure["usage"] is usage
    assert sentence in failure["sentence"]
    assert way_out in failure["way_out"]
    assert "\n" not in failure["sentence"] + failure["way_out"]
    assert refused[name]["refused"].startswith(failure["sentence"][:20])


def test_a_host_contacted_at_import_is_named_with_its_line(refused, closed_port):
    failure = refused["contacts"]["facts"]["load_failure"]
    assert failure["kind"] == "contacts"
    assert f"it contacts localhost:{closed_port} while it is imported (crew.py:5)" in failure["sentence"]
    assert failure["location"]["line"] == 5


def test_what_the_import_waits_for_is_said_before_our_deadline(refused, silent_port):
    failure, taken_back = refused["deadline"]["failures"]
    assert failure["kind"] == "contacts"
    assert taken_back is None
    assert f"still waits for localhost:{silent_port} (crew.py:5)" in failure["sentence"]


def test_an_interpreter_without_crewai_is_named(refused):
    failure = refused["no crewai"]["facts"]["load_failure"]
    assert failure["kind"] == "missing_package"
    assert "crewai is not installed in" in failure["sentence"]
    assert "--python" in failure["way_out"]
