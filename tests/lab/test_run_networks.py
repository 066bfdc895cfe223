"""Programs on broken networks under `crewdoctor run`: the network's own rule speaks first, and a mended twin is silent.

Where the tool's host is, no source says: it stands in a variable of the program's own.
"""

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
import trustme

from crewdoctor.pipeline import analyse
from crewdoctor.wire.recording import read_recording

pytestmark = [pytest.mark.crewai, pytest.mark.netns, pytest.mark.lab, pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "fixtures" / "lab"
DEAD, ALIVE = "127.0.0.51", "127.0.0.52"
NAME = "rows.back.office.example"
FAR = "127.0.7.7"
MODEL, SERVICE, PROXY, CLOSED = 7001, 7002, 7003, 7009
MAIN = '''
import os
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

@tool("find_rows")
def find_rows(subject: str) -> str:
    """Find the rows of a subject."""
    {importing}
    return {call}

llm = LLM(model="openai/m", base_url="http://127.0.0.1:7001/v1", api_key="sk-of-nobody-1234567890")
clerk = Agent(role="clerk", goal="g", backstory="b", tools=[find_rows], llm=llm)
task = Task(description="Find the rows of the northern branch", expected_output="rows", agent=clerk)
print(Crew(agents=[clerk], tasks=[task]).kickoff())
'''
CLIENTS = {
    "httpx": ("import httpx", 'httpx.get(os.environ["WHERE"], timeout={}).text'),
    "requests": ("import requests", 'requests.get(os.environ["WHERE"], timeout={}).text'),
    "urllib": ("import urllib.request", 'urllib.request.urlopen(os.environ["WHERE"], timeout={}).read().decode()'),
}


def module_of(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NAMESPACE = module_of(LAB / "namespace.py")


@dataclass
class Scene:
    """One fault and its twin. `sick` and `well` hold what differs: `where client timeout servers names variables`."""

    code: str
    subject: str
    sick: dict
    well: dict
    said: tuple = ()
    """Words of the finding: the culprit, the setting, the place."""
    common: dict = field(default_factory=dict)


def proxied(scheme="http", no_proxy="", port=PROXY):
    upper = f"{scheme}_proxy".upper()
    return {upper: f"http://127.0.0.1:{port}", "NO_PROXY": ",".join(filter(None, ["127.0.0.1", no_proxy]))}


CERTIFICATE = {"tls": {"cert": "{cert}", "key": "{key}"}}
SCENES = {
    "dead first nameserver": Scene(
        "CD101",
        f"nameserver:{DEAD}",
        {"names": [[DEAD, None], [ALIVE, {NAME: "127.0.0.1"}]]},
        {"names": [[ALIVE, {NAME: "127.0.0.1"}], [DEAD, None]]},
        ("/etc/resolv.conf:1", f"nameserver {ALIVE}"),
        {"where": f"http://{NAME}:{SERVICE}/", "client": "requests", "timeout": 30},
    ),
    "no such name": Scene(
        "CD103",
        f"host:{NAME}:{SERVICE}",
        {"names": [[ALIVE, {}]]},
        {"names": [[ALIVE, {NAME: "127.0.0.1"}]]},
        (NAME, "main.py"),
        {"where": f"http://{NAME}:{SERVICE}/", "client": "urllib"},
    ),
    "refused": Scene(
        "CD105",
        f"host:127.0.0.1:{CLOSED}",
        {"where": f"http://127.0.0.1:{CLOSED}/"},
        {"where": f"http://127.0.0.1:{SERVICE}/"},
        (str(CLOSED), "main.py"),
    ),
    "dropped": Scene(
        "CD106",
        f"host:127.0.0.1:{SERVICE}",
        {"servers": [["upstream", {"port": SERVICE, "accept": False}]]},
        {},
        ("packets are dropped", "main.py"),
        {"where": f"http://127.0.0.1:{SERVICE}/", "client": "requests", "timeout": 4},
    ),
    "slow handshake": Scene(
        "CD107",
        f"host:localhost:{SERVICE}",
        {"timeout": 1},
        {"timeout": 20},
        ("TLS handshake", "1 s"),
        {
            "where": f"https://localhost:{SERVICE}/",
            "servers": [["upstream", {"port": SERVICE, "tls": {**CERTIFICATE["tls"], "pause": 1.6}}]],
            "variables": {"SSL_CERT_FILE": "{authority}"},
        },
    ),
    "range in NO_PROXY": Scene(
        "CD110",
        f"host:{FAR}:{SERVICE}",
        {"variables": proxied(no_proxy="127.0.7.0/24")},
        {"variables": proxied(no_proxy=FAR)},
        ("127.0.7.0/24", "a CIDR range", f'NO_PROXY="127.0.0.1,127.0.7.0/24,{FAR}'),
        {
            "where": f"http://{FAR}:{SERVICE}/",
            "servers": [
                ["upstream", {"port": SERVICE, "host": FAR}],
                ["upstream", {"port": PROXY, "proxy": True, "status": 503}],
            ],
        },
    ),
    "internal name through the proxy": Scene(
        "CD110",
        f"host:localhost:{SERVICE}",
        {"variables": proxied()},
        {"variables": proxied(no_proxy="localhost")},
        ("NO_PROXY does not name it", "localhost"),
        {
            "where": f"http://localhost:{SERVICE}/",
            "client": "urllib",
            "servers": [["upstream", {"port": SERVICE}], ["upstream", {"port": PROXY, "proxy": True, "status": 504}]],
        },
    ),
    "dead proxy": Scene(
        "CD111",
        f"proxy:127.0.0.1:{CLOSED}",
        {"variables": {**proxied("https", port=CLOSED), "SSL_CERT_FILE": "{authority}"}},
        {"variables": {**proxied("https"), "SSL_CERT_FILE": "{authority}"}},
        ("HTTPS_PROXY", "refuses connections"),
        {
            "where": f"https://{NAME}:{SERVICE}/",
            "servers": [
                ["upstream", {"port": SERVICE, **CERTIFICATE}],
                ["proxy", {"port": PROXY, "hosts": {NAME: "127.0.0.1"}}],
            ],
        },
    ),
    "proxy wants a password": Scene(
        "CD112",
        f"proxy:127.0.0.1:{PROXY}",
        {
            "servers": [
                ["upstream", {"port": SERVICE, **CERTIFICATE}],
                ["proxy", {"port": PROXY, "credentials": "clerk:tulip"}],
            ]
        },
        {
            "servers": [
                ["upstream", {"port": SERVICE, **CERTIFICATE}],
                ["proxy", {"port": PROXY, "hosts": {NAME: "127.0.0.1"}}],
            ]
        },
        ("407", "HTTPS_PROXY", "NAME:WORD"),
        {
            "where": f"https://{NAME}:{SERVICE}/",
            "client": "requests",
            "variables": {**proxied("https"), "REQUESTS_CA_BUNDLE": "{authority}"},
        },
    ),
    "private authority": Scene(
        "CD120",
        f"host:localhost:{SERVICE}",
        {"variables": {"REQUESTS_CA_BUNDLE": "{authority}"}},
        {"variables": {"SSL_CERT_FILE": "{authority}"}},
        ("httpx", "certifi", "SSL_CERT_FILE"),
        {"where": f"https://localhost:{SERVICE}/", "servers": [["upstream", {"port": SERVICE, **CERTIFICATE}]]},
    ),
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Callable: a scene's name and `sick` or `well` to the report of its program, run in a network of its own."""
    if reason := NAMESPACE.why_not():
        if os.environ.get("CREWDOCTOR_CI") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    authority = trustme.CA(organization_name="House of Rows")
    issued = authority.issue_cert("localhost", "127.0.0.1", NAME)
    keys = tmp_path_factory.mktemp("keys")
    places = {name: str(keys / f"{name}.pem") for name in ("authority", "cert", "key")}
    authority.cert_pem.write_to_path(places["authority"])
    issued.cert_chain_pems[0].write_to_path(places["cert"])
    issued.private_key_pem.write_to_path(places["key"])

    def filled(held):
        if isinstance(held, str):
            return places.get(held.strip("{}"), held)
        if isinstance(held, dict):
            return {name: filled(value) for name, value in held.items()}
        return [filled(each) for each in held] if isinstance(held, list) else held

    @cache
    def run(name, form):
        scene = SCENES[name]
        made = {"servers": [["upstream", {"port": SERVICE}]], "names": [[ALIVE, {}]], "variables": {}}
        made = filled({**made, "client": "httpx", "timeout": 5, **scene.common, **getattr(scene, form)})
        importing, call = CLIENTS[made["client"]]
        folder = tmp_path_factory.mktemp(form)
        (folder / "main.py").write_text(MAIN.format(importing=importing, call=call.format(made["timeout"])))
        servers = [["provider", {"first_token": 0.1, "port": MODEL}], *made["servers"]]
        prefix = NAMESPACE.prefix(servers=servers, nameservers=made["names"])
        command = [sys.executable, "-m", "crewdoctor", "run", "--recording", "r.jsonl", "--", sys.executable, "main.py"]
        kept = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        quiet = {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false", "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(
            [*prefix, *command],
            cwd=folder,
            env={**kept, **quiet, "WHERE": made["where"], **made["variables"]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr[-3000:]
        return analyse(read_recording(folder / "r.jsonl"))

    return run


ALWAYS = ("dropped", "proxy wants a password")
"""What they need differs most; the others take minutes and are played by `make test-long`."""
NAMES = [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.long) for name in SCENES]


@pytest.mark.parametrize("name", NAMES)
def test_its_rule_speaks_first_and_names_culprit_and_setting(recorded, name):
    scene, findings = SCENES[name], recorded(name, "sick").findings
    first = findings[0]
    told = f"{first.message} {first.limit} {first.location} {first.fix.title} {first.fix.code}"

    assert (first.code, first.layer.value, first.subject) == (scene.code, "network", scene.subject)
    assert [words for words in scene.said if words not in told] == []
    assert {each.code for each in findings} == {scene.code}


@pytest.mark.parametrize("name", NAMES)
def test_its_mended_twin_is_met_with_silence(recorded, name):
    assert recorded(name, "well").findings == ()
