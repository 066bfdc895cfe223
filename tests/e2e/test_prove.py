"""`settings --prove`: verdicts on a crew's own models, the reason where there is none, and nobody real hears of it."""

import contextlib
import json
import socket
import threading

import pytest

pytestmark = [pytest.mark.crewai, pytest.mark.timeout(200)]

CREW = """
from crewai import LLM, Agent, Crew, Task

PLACE = {{"base_url": "http://127.0.0.1:{port}/v1", "api_key": "sk-of-nobody-0123456789"}}
bounded = LLM("openai/gpt-4.1-mini", timeout=30, max_retries=0, **PLACE)
endless = LLM("openai/gpt-4.1-mini", client_params={{"timeout": None}}, **PLACE)
broken = LLM("openai/gpt-4.1-mini", request_timeout=30, timeout=30, **PLACE)
changed = LLM("openai/gpt-4.1-mini", timeout=30, **PLACE)
changed._client = changed._client.with_options(timeout=7)
models = {{"Bounded": bounded, "Endless": endless, "Broken": broken, "Changed": changed}}
agents = [Agent(role=role, goal="answer", backstory="a clerk", llm=llm) for role, llm in models.items()]
agents[0].max_execution_time = 60
crew = Crew(agents=agents, tasks=[Task(description="Say ok.", expected_output="ok", agent=each) for each in agents])
"""


@pytest.fixture(scope="module")
def proved(crewdoctor, tmp_path_factory):
    """The report, and how often the model's own server was connected to."""
    folder = tmp_path_factory.mktemp("proved")
    with socket.create_server(("127.0.0.1", 0)) as real:
        met = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    met.append(real.accept()[1])

        threading.Thread(target=serve, daemon=True).start()
        (folder / "crew.py").write_text(CREW.format(port=real.getsockname()[1]), encoding="utf-8")
        code, out, err = crewdoctor("settings", "crew.py", "--prove", "--format", "json", folder=folder, seconds=180)
        real.shutdown(socket.SHUT_RDWR)
    assert "Traceback" not in out + err, err
    return code, json.loads(out), met


def verdicts(told, role):
    subject = f"agent:{role}/llm"
    return {each["name"]: each for each in told["proofs"] if each["subject"] == subject}


def test_the_models_own_server_hears_nothing(proved):
    assert proved[2] == []


def test_each_setting_has_its_verdict(proved):
    _, told, _ = proved
    bounded, endless = verdicts(told, "Bounded"), verdicts(told, "Endless")

    assert bounded["timeout.read"]["verdict"] == "honoured per read"
    assert (bounded["max_retries"]["verdict"], bounded["max_retries"]["times"]) == ("honoured", 3)
    assert endless["timeout.read"]["verdict"] == "unlimited"
    beside = {(each["subject"], each["name"]): each["verdict"] for each in told["settings"]}
    assert beside["agent:Bounded/llm", "timeout.read"] == "honoured per read"


def test_what_cannot_be_proved_is_unknown_and_says_why(proved):
    _, told, _ = proved

    assert {each["verdict"] for each in verdicts(told, "Changed").values()} == {"unknown"}
    assert "changed after it was built" in verdicts(told, "Changed")["timeout.read"]["said"]
    assert "nothing was sent" in verdicts(told, "Broken")["timeout.read"]["said"]


def test_rules_say_it_with_the_proof(proved):
    code, told, _ = proved
    flat = [each for found in told["findings"] for each in (found, *found["explained"])]
    by_code = {each["code"]: each for each in flat}

    assert code == 1
    assert "Proved: with a server that accepts a request and stays silent" in by_code["CD202"]["message"]
    assert by_code["CD205"]["subject"] == "agent:Broken/llm"
    assert "failed before anything was sent" in by_code["CD205"]["message"]
    assert "Proved: lowered to 1 s" in by_code["CD401"]["message"]
    assert {"CD211", "CD213"} <= {each["code"] for each in told["notes"]}


def test_nothing_of_a_failing_server_is_held_against_the_network(proved):
    _, told, _ = proved

    assert not [each for each in (*told["findings"], *told["notes"]) if each["code"].startswith("CD1")]
    assert told["hangs"] == []
    assert {each["phase"] for each in told["trials"]} >= {"connect", "tls", "request", "body", "trickle", "500", "429"}


def test_a_plain_settings_command_makes_no_experiment(crewdoctor, tmp_path):
    (tmp_path / "crew.py").write_text(CREW.format(port=9), encoding="utf-8")
    code, out, _ = crewdoctor("settings", "crew.py", "--format", "json", folder=tmp_path, seconds=100)
    told = json.loads(out)

    assert (told["proofs"], told["trials"]) == ([], [])
    assert {each["verdict"] for each in told["settings"]} == {""}
    assert code in {0, 1}
