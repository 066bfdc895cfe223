"""Settings of each provider's own SDK, proved: the verdict a role foretells, and no packet for anybody else.

Each crew of `fixtures/proving` is examined in a network with a way out, whose packets are counted.
"""

import json
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from crewdoctor.model.proof import Verdict

ROOT = Path(__file__).parents[2]
CREWS = ROOT / "fixtures" / "proving"
pytestmark = [pytest.mark.lab, pytest.mark.crewai, pytest.mark.netns, pytest.mark.timeout(240)]
SETTLED = {
    "honoured": {Verdict.HONOURED.value, Verdict.PER_READ.value},
    "ignored": {Verdict.IGNORED.value},
    "unlimited": {Verdict.UNLIMITED.value},
    "in force": {Verdict.IN_FORCE.value},
}
# A link whose other end takes every packet, and a nameserver behind it.
OUTSIDE = (
    "ip link set lo up; ip link add out0 type veth peer name out1;"
    "sysctl -qw net.ipv6.conf.out0.disable_ipv6=1; sysctl -qw net.ipv6.conf.out1.disable_ipv6=1;"
    "ip link set out1 up; ip link set out0 up; ip addr add 10.9.0.1/24 dev out0;"
    "ip route add default via 10.9.0.2 dev out0;"
    "for each in 2 53; do ip neigh add 10.9.0.$each lladdr 02:00:00:00:00:01 dev out0; done;"
    "echo nameserver 10.9.0.53 > {folder}/resolv.conf; mount --bind {folder}/resolv.conf /etc/resolv.conf;"
    "{command} || true; echo \"@@$(grep out0: /proc/self/net/dev | tr -s ' ' | cut -d' ' -f12)\""
)


@cache
def examined(name, folder, out="true"):
    """The report of a crew, and how many packets left the network it was examined in."""
    report = folder / "report.json"
    crewdoctor = (
        f"{sys.executable} -m crewdoctor settings {CREWS / name}.py --prove -q --format json -o {report} "
        f"--recording {folder / 'recording.jsonl'}"
    )
    script = OUTSIDE.format(folder=folder, command=crewdoctor if out == "true" else out)
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    done = subprocess.run(
        ["unshare", "-rnm", "sh", "-ec", script],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env=environment,
        cwd=folder,
    )
    if "@@" not in done.stdout:
        pytest.skip(f"no network namespace: {done.stderr.strip()[-300:]}")
    sent = int(done.stdout.rpartition("@@")[2])
    return json.loads(report.read_text()) if report.exists() else {}, sent


def proofs(name, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / name
    folder.mkdir(exist_ok=True)
    return examined(name, folder)


PROVIDERS = [
    "openai",
    pytest.param("anthropic_gemini", marks=pytest.mark.long),
    pytest.param("azure_bedrock", marks=pytest.mark.long),
    pytest.param("litellm", marks=pytest.mark.skipif(not find_spec("litellm"), reason="litellm is not installed")),
]


def test_the_network_counts_what_leaves_it(tmp_path):
    _, sent = examined("openai", tmp_path, out="getent hosts nobody.example || true")

    assert sent > 0


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_models_timeout_gets_the_verdict_its_role_foretells(name, tmp_path_factory):
    report, sent = proofs(name, tmp_path_factory)
    told = {}
    for each in report["proofs"]:
        if each["name"] in {"timeout.read", "dropped.timeout"}:
            told.setdefault(each["subject"].removeprefix("agent:").removesuffix("/llm"), []).append(each["verdict"])

    assert told
    for role, verdicts in told.items():
        wanted = next(held for words, held in SETTLED.items() if role.endswith(words))
        assert wanted & set(verdicts), (role, verdicts, report["trials"])
        if "ignored" not in role:
            assert set(verdicts) <= wanted, (role, verdicts)
    assert not [each for each in report["proofs"] if each["verdict"] == "unknown"]
    assert sent == 0


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_was_written_and_is_ignored_is_an_error_with_its_proof(name, tmp_path_factory):
    report, _ = proofs(name, tmp_path_factory)
    flat = [each for found in report["findings"] for each in (found, *found["explained"])]
    errors = [each for each in flat if each["code"] == "CD204" and each["severity"] == "error"]
    accused = {each["subject"] for each in errors}
    ignored = {each["subject"] for each in report["proofs"] if each["name"] == "dropped.timeout"}

    assert accused == ignored
    assert all("Proved: written as" in each["message"] for each in errors)


def test_an_agents_limit_is_shown_not_to_interrupt(tmp_path_factory):
    report, _ = proofs("azure_bedrock", tmp_path_factory)

    proof = next(each for each in report["proofs"] if each["name"] == "max_execution_time")
    assert proof["verdict"] == "ignored"
    assert "CD401" in {each["code"] for found in report["findings"] for each in (found, *found["explained"])}
