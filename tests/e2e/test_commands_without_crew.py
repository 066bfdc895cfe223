"""probe-llm and probe-net: no crew, no import of crewai, one screen, one sentence."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytestmark = pytest.mark.timeout(120)


def report(crewdoctor, *arguments, **environment):
    code, out, err = crewdoctor(*arguments, "--format", "json", **environment)
    assert "Traceback" not in out + err, err
    return code, json.loads(out)


def test_a_model_that_answers_is_told_phase_by_phase(crewdoctor, serve):
    url = f"http://127.0.0.1:{serve('provider', first_token=0.2, token_gap=0.01)}/v1"
    code, told = report(crewdoctor, "probe-llm", "--base-url", url, "--model", "house-7b")
    assert (code, told["findings"]) == (0, [])
    (call,) = told["model_calls"]
    assert (call["model"], call["status"], call["attempts"], call["failure"]) == ("house-7b", 200, 1, "")
    phases = {phase["name"]: phase for phase in call["phases"]}
    assert list(phases) == ["tcp.connect", "first byte", "first token", "last token"]
    assert phases["first byte"]["seconds"] >= 0.2
    ends = [phase["at"] for phase in call["phases"]]
    assert ends == sorted(ends)
    assert "connect 5 s, read 600 s" in call["limits"]
    assert told["verdict"].startswith("the model house-7b answers: first token after 0.")


AWS = {"AWS_ACCESS_KEY_ID": "AKIAOFNOBODY0123", "AWS_SECRET_ACCESS_KEY": "of-nobody-0123456789abcdef"}
OTHERS = {
    "anthropic": ("anthropic/claude-sonnet-4-5", {"ANTHROPIC_API_KEY": "sk-ant-of-nobody-0123"}, "no limit"),
    "claude": ("claude-haiku-4-5", {"ANTHROPIC_API_KEY": "sk-ant-of-nobody-0123"}, "no limit"),
    "gemini": ("gemini/gemini-2.5-flash", {"GEMINI_API_KEY": "AIza-of-nobody-0123456"}, "no limit"),
    "azure": ("azure/gpt-4o", {"AZURE_API_KEY": "azure-of-nobody-0123456"}, "300 s"),
    "bedrock": ("bedrock/anthropic.claude-3-5-sonnet-20241022-v2:0", AWS, "300 s"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_model_of_another_provider_is_called_through_its_own_sdk(crewdoctor, serve, kind):
    model, keys, limit = OTHERS[kind]
    url = f"http://127.0.0.1:{serve('provider', first_token=0.2, token_gap=0.01)}"
    code, told = report(crewdoctor, "probe-llm", "--base-url", url, "--model", model, **keys)
    (call,) = told["model_calls"]

    assert (code, told["findings"]) == (0, []), told["verdict"]
    assert (call["model"], call["status"], call["attempts"], call["failure"]) == (
        model.partition("/")[2] or model,
        200,
        1,
        "",
    )
    assert call["phases"][-1]["at"] >= 0.2
    assert limit in call["limits"]
    assert not [each for each in keys.values() if each in json.dumps(told)]


@pytest.mark.parametrize("kind", ["anthropic", "gemini", "azure", "bedrock"])
def test_another_providers_no_is_told_in_one_sentence(crewdoctor, serve, kind):
    model, keys, _ = OTHERS[kind]
    url = f"http://127.0.0.1:{serve('provider', status=401)}"
    code, told = report(crewdoctor, "probe-llm", "--base-url", url, "--model", model, **keys)

    assert code == 1
    assert [finding["code"] for finding in told["findings"]] == ["CD214"]
    assert "answers 401" in told["findings"][0]["message"]


def test_the_environment_names_the_model(crewdoctor, serve, tmp_path):
    url = f"http://127.0.0.1:{serve('provider', first_token=0.05)}/v1"
    (tmp_path / ".env").write_text(f"OPENAI_BASE_URL={url}\nMODEL=openai/of-the-file\n", encoding="utf-8")
    code, out, _ = crewdoctor("probe-llm", "--format", "json", folder=tmp_path, OPENAI_API_KEY="sk-of-mine-0123456789")
    told = json.loads(out)
    assert (code, told["model_calls"][0]["model"]) == (0, "of-the-file")
    assert "sk-of-mine" not in out


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        ((), {}, "no key for api.openai.com: OPENAI_API_KEY is not set"),
        (("--model", "groq-key/x", "--key-env", "GROQ_API_KEY"), {}, "GROQ_API_KEY is not set"),
        (("--base-url", "http://127.0.0.1:9/v1"), {}, "no model is named for http://127.0.0.1:9/v1"),
        (("--model", "anthropic/claude-x"), {"OPENAI_API_KEY": "k"}, "ANTHROPIC_API_KEY is not set"),
        (("--model", "gemini-2.5-flash"), {"OPENAI_API_KEY": "k"}, "GOOGLE_API_KEY is not set"),
        (("--model", "azure/gpt-4o"), {"AZURE_API_KEY": "k"}, "AZURE_ENDPOINT is not set"),
        (("--model", "bedrock/anthropic.claude-x"), {"AWS_CONFIG_FILE": "/none"}, "AWS_ACCESS_KEY_ID is not set"),
        (("--model", "snowflake/llama3"), {}, "does not know how to call it without a crew"),
        (("--model", "m", "--base-url", "nowhere"), {"OPENAI_API_KEY": "k"}, "which is no URL"),
    ],
)
def test_what_names_no_model_is_one_sentence_and_exit_2(crewdoctor, arguments, environment, told):
    code, out, err = crewdoctor("probe-llm", "-q", *arguments, **environment)
    assert (code, out) == (2, "")
    assert told in err
    assert len(err.strip().splitlines()) == 1


def error(message, code):
    return json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": code}}).encode()


ODD = {
    "key": (401, error("Incorrect API key provided", "invalid_api_key")),
    "model": (404, error("The model `m` does not exist", "model_not_found")),
    "quota": (429, error("You exceeded your current quota", "insufficient_quota")),
    "page": (200, b"<html><body>Please log in</body></html>"),
    "blocked": (403, b"<html><body>Blocked by the gateway</body></html>"),
    "broken": (500, error("boom", "server_error")),
}


class Odd(BaseHTTPRequestHandler):
    """Answers as the first part of its path says."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        status, body = ODD[self.path.split("/")[1]]
        self.send_response(status)
        self.send_header("content-type", "text/html" if body.startswith(b"<") else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def odd():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("key", "CD214", "answers 401 (api_key: env OPENAI_API_KEY): Incorrect API key provided"),
        ("model", "CD214", "The model `m` does not exist"),
        ("quota", "CD214", "answers 429: You exceeded your current quota"),
        ("page", "CD214", "no completion"),
        ("blocked", "CD214", "Blocked by the gateway"),
        ("broken", "CD213", "one model call became 3 requests"),
    ],
)
def test_what_the_server_says_no_to_is_told_in_one_sentence(crewdoctor, odd, kind, code, words):
    url = f"http://127.0.0.1:{odd}/{kind}/v1"
    exit_code, told = report(
        crewdoctor, "probe-llm", "--base-url", url, "--model", "m", OPENAI_API_KEY="sk-of-mine-0123456789"
    )
    assert exit_code == 1, told["verdict"]
    assert [finding["code"] for finding in told["findings"]] == [code]
    assert words in told["findings"][0]["message"]


def test_a_closed_port_is_the_networks_finding(crewdoctor):
    code, told = report(crewdoctor, "probe-llm", "--base-url", "http://127.0.0.1:1/v1", "--model", "m")
    assert code == 1
    assert (told["findings"][0]["code"], told["findings"][0]["subject"]) == ("CD105", "host:127.0.0.1:1")


def test_probe_llm_never_imports_crewai(crewdoctor, serve, tmp_path):
    """A crewai that cannot be imported stands first on the worker's path."""
    (tmp_path / "crewai").mkdir()
    (tmp_path / "crewai" / "__init__.py").write_text("raise SystemExit('crewai was imported')", encoding="utf-8")
    url = f"http://127.0.0.1:{serve('provider', first_token=0.05)}/v1"
    arguments = ("probe-llm", "--base-url", url, "--model", "m", "--format", "json")
    code, out, err = crewdoctor(*arguments, PYTHONPATH=f"{tmp_path}:{':'.join(sys.path)}")
    assert code == 0, err
    assert json.loads(out)["model_calls"][0]["status"] == 200


def test_hosts_are_looked_at_one_by_one(crewdoctor, serve):
    port = serve("upstream")
    code, told = report(crewdoctor, "probe-net", f"http://127.0.0.1:{port}", "http://127.0.0.1:1", "nothing.invalid")
    assert code == 1
    found = {finding["subject"]: finding["code"] for finding in told["findings"]}
    assert found == {"host:127.0.0.1:1": "CD105", "host:nothing.invalid:443": "CD103"}
    assert told["scope"] == "net"


def test_a_port_that_promises_no_tls_is_connected_to_and_nothing_is_held_against_it(crewdoctor, serve):
    port = serve("upstream")
    code, told = report(crewdoctor, "probe-net", f"127.0.0.1:{port}")
    assert (code, told["findings"]) == (0, [])
    left = [each["reason"] for each in told["unexamined"] if each["subject"].startswith("net.tls")]
    assert left == [
        (
            "nobody said that it speaks TLS: only its connection was tried; "
            f"name it as https://127.0.0.1:{port} to try TLS as well"
        )
    ]


def test_what_is_no_host_is_one_sentence(crewdoctor):
    code, out, err = crewdoctor("probe-net", "-q", "ht!tp://")
    assert (code, out) == (2, "")
    assert "not a host" in err


def test_config_show_names_every_origin(tmp_path):
    (tmp_path / "crewdoctor.toml").write_text('deadline = "90s"\n', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "crewdoctor", "config", "show"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    rows = dict(line.split(None, 1) for line in done.stdout.splitlines())
    assert rows["deadline"] == f"90.0  ({tmp_path / 'crewdoctor.toml'})"
    assert rows["fail_on"] == "error  (default)"
