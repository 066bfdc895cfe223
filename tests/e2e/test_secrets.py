"""Secrets, prompts and completions planted wherever a crew can hold them: none reaches an output or a recording.

The same runs show that `analyse` repeats a finished run byte for byte.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.crewai, pytest.mark.timeout(400)]

SECRETS = {
    "llm_key": "sk-proj-Qm4Zt8wLx2Vb6Ny0",
    "env_key": "sk-Hd7Rk1pSj5Gf9Tc3Wq2e",
    "dotenv_plain": "Jx3Ub8Ye6Mz1Ko4P",
    "extra_header": "Tn5Vq0Bw7Rs2Lc9X",
    "default_header": "Gy8Da3Fh6Jk1Zp4M",
    "bearer": "Wc2Eo7Ti4Ua9Sn6R",
    "cookie": "Lb1Vx6Cz8Nm3Qd5K",
    "query": "Pf9Gr4Hs7Jt2Yw0B",
    "query_of_hang": "Xk6Zl1Mv8Nb3Ac5D",
    "proxy": "p@Ss:w/Rd7Qe2Tz9",
    "dsn": "Rq4Wy9Ei2Uo7Pa5S",
    "in_exception": "Df1Gh6Jk3Lz8Xc0V",
    "in_constant": "Bn7Mq2We5Rt9Yu4I",
    "at_import": "Op3As8Df6Gh1Jk7L",
    "last_words": "Zx9Cv4Bn2Mq7We5R",
}
CONTENT = {
    "description": "Reconcile the walrus quarter",
    "backstory": "Raised among teal lighthouses",
    "goal": "Find the amber discrepancy",
    "expected": "A crimson spreadsheet line",
    "input": "northern heron subsidiary",
    "tool_output": "ledger of the velvet harbour",
    "completion": "the saffron figures agree",
}

CREW = '''
import os
import socket
import urllib.request

import requests
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool
from dotenv import load_dotenv

load_dotenv()
SERVICE = "http://127.0.0.1:{service}"
DSN = "postgresql://app:{dsn}@127.0.0.1:{closed}/main"
VAULT_PASSWORD = "{in_constant}"


@tool("find orders")
def find_orders(subject: str) -> str:
    """Find orders."""
    headers = {{"Authorization": "Bearer {bearer}", "Cookie": "session={cookie}"}}
    return requests.get(f"{{SERVICE}}/orders?sig={query}&of={{subject}}", headers=headers, timeout=5).text


@tool("read ledger")
def read_ledger(subject: str) -> str:
    """Read the ledger."""
    try:
        socket.create_connection(("127.0.0.1", {closed}), 2).close()
    except OSError as error:
        raise RuntimeError(f"connection to {{DSN}} failed for {{VAULT_PASSWORD}}") from error


@tool("open vault")
def open_vault(subject: str) -> str:
    """Open the vault."""
    raise PermissionError(f"login refused (token: {in_exception}), tried " + os.environ["VAULT_PIN"])


@tool("ask partner")
def ask_partner(subject: str) -> str:
    """Ask the partner, who is reached through the proxy."""
    return requests.get("http://partner.invalid/rows", timeout=5).text


@tool("fetch rates")
def fetch_rates(subject: str) -> str:
    """Fetch rates."""
    return urllib.request.urlopen("http://127.0.0.1:{silent}/rates?token={query_of_hang}").read().decode()


{more}
llm = LLM(
    model="openai/gpt-4o",
    base_url="http://127.0.0.1:{provider}/v1",
    api_key="{llm_key}",
    default_headers={{"X-Gateway": "{default_header}", "X-Api-Key": "{extra_header}"}},
)
worker = Agent(
    role="Clerk", goal="{goal}", backstory="{backstory}", llm=llm, max_retry_limit=0, max_iter=6,
    tools=[find_orders, read_ledger, open_vault, ask_partner, fetch_rates{tools}],
)
job = Task(description="{description} of {{{{place}}}}", expected_output="{expected}", agent=worker)
crew = Crew(agents=[worker], tasks=[job])
'''
DIES = '''
@tool("burn down")
def burn_down(subject: str) -> str:
    """Take the process with it."""
    import sys
    sys.stderr.write("dying with " + os.environ["VAULT_PIN"] + " and {last_words}\\n".replace("and ", "password="))
    sys.stderr.flush()
    os._exit(9)
'''
FAILS_TO_LOAD = """
import os
from dotenv import load_dotenv
load_dotenv()
raise RuntimeError("no session for token={at_import}, nor for " + os.environ["VAULT_PIN"])
"""
DIES_AT_IMPORT = """
import os, sys
from dotenv import load_dotenv
load_dotenv()
sys.stderr.write("giving up on " + os.environ["VAULT_PIN"] + " with password={last_words}\\n")
sys.stderr.flush()
os.kill(os.getpid(), 9)
"""


class Service(BaseHTTPRequestHandler):
    def do_GET(self):
        body = CONTENT["tool_output"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", f"session={SECRETS['cookie']}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def world():
    """Ports of a service, a silent one, a closed one, and a stand-in for the provider."""
    service = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    knobs = json.dumps({"answer": CONTENT["completion"]})
    provider = subprocess.Popen(
        [sys.executable, str(ROOT / "fixtures" / "lab" / "provider.py"), knobs],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent, socket.socket() as closed, provider:
        closed.bind(("127.0.0.1", 0))
        yield {
            "service": service.server_port,
            "provider": int(provider.stdout.readline()),
            "silent": silent.getsockname()[1],
            "closed": closed.getsockname()[1],
        }
        provider.stdin.close()
    service.shutdown()
    service.server_close()


RUNS = {
    "own model": (CREW, {}, ["--llm", "own", "-vv"]),
    "simulated model": (CREW, {}, ["--llm", "embedded", "-v"]),
    "a tool that kills its process": (CREW, {"more": DIES, "tools": ", burn_down"}, ["--llm", "own"]),
    "a load that fails": (FAILS_TO_LOAD, {}, []),
    "a load that dies": (DIES_AT_IMPORT, {}, []),
}


def diagnose(name, folder, world):
    """All texts of one run: stdout, stderr, JSON report, recording, and analyse's report of that recording."""
    text, parts, flags = RUNS[name]
    parts = {part: each.format(**SECRETS) for part, each in ({"more": "", "tools": ""} | parts).items()}
    (folder / "crew.py").write_text(textwrap.dedent(text).format(**world, **SECRETS, **CONTENT, **parts))
    (folder / ".env").write_text(f"OPENAI_API_KEY={SECRETS['env_key']}\nVAULT_PIN={SECRETS['dotenv_plain']}\n")
    proxy = f"http://svc:{quote(SECRETS['proxy'], safe='')}@127.0.0.1:{world['closed']}"
    kept = {key: held for key, held in os.environ.items() if not key.startswith(("OPENAI", "CREWDOCTOR"))}
    environment = kept | {"PYTHONPATH": str(ROOT), "http_proxy": proxy, "no_proxy": "127.0.0.1"}
    inputs = json.dumps({"place": CONTENT["input"]})
    command = [sys.executable, "-m", "crewdoctor"]
    files = ["-o", "report.json", "--recording", "recording.jsonl", "--format", "rich", "--format", "json"]
    ran = subprocess.run(
        [*command, "diagnose", "crew.py", "--inputs", inputs, *flags, *files],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    again = subprocess.run(
        [*command, "analyse", "recording.jsonl", "-vv", "-o", "again.json", *files[-4:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.returncode, {
        "stdout": ran.stdout,
        "stderr": ran.stderr,
        "report": (folder / "report.json").read_text(),
        "recording": (folder / "recording.jsonl").read_text(),
        "analyse": again.stdout + again.stderr,
        "analyse's report": (folder / "again.json").read_text(),
    }


@pytest.fixture(scope="module")
def ran(world, tmp_path_factory):
    folders = {name: tmp_path_factory.mktemp("secrets") for name in RUNS}
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(folders, pool.map(lambda name: diagnose(name, folders[name], world), folders), strict=True))


def forms(secret):
    """As it is, in a URL, in JSON, and as the password of Basic authentication."""
    yield from {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1]}
    for user in ("svc", "app", ""):
        encoded = base64.b64encode(f"{user}:{secret}".encode()).decode()
        yield encoded.rstrip("=")


@pytest.mark.parametrize("name", RUNS)
def test_no_secret_leaves_crewdoctor(ran, name):
    _, texts = ran[name]

    leaks = [
        f"{secret} in {where}: ...{text[max(0, text.index(form) - 90) : text.index(form) + 40]!r}"
        for where, text in texts.items()
        for secret, held in SECRETS.items()
        for form in forms(held)
        if form in text
    ]
    assert not leaks, "\n".join(leaks)


@pytest.mark.parametrize("name", RUNS)
def test_no_prompt_completion_or_tool_output_leaves_crewdoctor(ran, name):
    _, texts = ran[name]

    leaks = [
        f"{each} in {where}: ...{text[max(0, text.index(form) - 90) : text.index(form) + 40]!r}"
        for where, text in texts.items()
        for each, held in CONTENT.items()
        for form in (held, quote(held), held.replace(" ", "+"))
        if form in text
    ]
    assert not leaks, "\n".join(leaks)


def test_the_runs_went_where_the_secrets_are(ran):
    """Silence proves nothing unless the secrets were in reach: each tool was called, each failure reported."""
    code, texts = ran["own model"]
    assert code == 1, texts["stderr"]
    report = json.loads(texts["report"])
    (hanging,) = [each for each in flat(report["findings"]) if each["slug"] == "tool_hangs"]
    assert hanging["subject"] == "tool:fetch rates"
    assert hanging["location"]["source"].startswith("return urllib.request.urlopen(")
    for words in ("connection to", "login refused", "/orders?sig=", "Clerk"):
        assert words in texts["recording"]
    assert "RuntimeError: no session for token=" in ran["a load that fails"][1]["stdout"]
    assert "giving up on" in " ".join(ran["a load that dies"][1]["stdout"].split())
    assert "dying with" in ran["a tool that kills its process"][1]["recording"]
    assert (ran["a load that fails"][0], ran["a load that dies"][0]) == (3, 3)


@pytest.mark.parametrize("name", RUNS)
def test_analyse_tells_a_finished_run_in_the_same_bytes(ran, name):
    _, texts = ran[name]

    assert texts["analyse's report"] == texts["report"]


def flat(findings):
    for each in findings:
        yield each
        with suppress(KeyError):
            yield from flat(each["explained"])
