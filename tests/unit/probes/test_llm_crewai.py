"""llm.crewai and ladder on a real crew: its own provider, then the embedded endpoint."""

import subprocess
import sys
from pathlib import Path

import pytest

from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.server import serving
from crewdoctor.model.inventory import AgentEntry, Inventory, LlmEntry, TaskEntry, ToolEntry
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.report import Rung
from crewdoctor.probes import ladder, llm_crewai, llm_sdk
from crewdoctor.wire.codec import decode
from crewdoctor.wire.frames import from_line

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SUBJECT = "agent:analyst/llm"


@pytest.fixture(scope="module", params=["own", "embedded"])
def climbed(request):
    """(mode, frames, requests) of both probes."""
    with serving(EndpointOptions(first_token=0.05)) as served:
        done = subprocess.run(
            [sys.executable, HERE / "llm_program.py", served.base_url, request.param],
            cwd=ROOT,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": "/nonexistent",
                "PYTHONPATH": str(ROOT),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=110,
            check=False,
        )
        frames = [frame for frame in map(from_line, done.stderr.splitlines()) if frame]
        assert frames, done.stderr[-4000:]
        assert b"sk-planted-secret" not in done.stderr
        yield request.param, frames, list(served.seen.entries)


def facts(frames, step):
    return {each["name"]: each["value"] for each in frames if each["k"] == "fact" and each["step"] == step}


@pytest.mark.crewai
def test_crewais_own_call_is_timed_and_its_limits_are_put_back(climbed):
    mode, frames, _ = climbed
    found = facts(frames, "llm.crewai")
    calls = [each for each in frames if each["k"] == "open" and each["name"] == "llm.call"]
    assert found["answered"] is True
    assert found["total"]
    assert min(found["total"]) >= 0.05
    assert found["max_tokens_after"] == 700
    assert {(each["attrs"]["layer_used"], each["attrs"]["simulated"]) for each in calls} == {
        ("crewai", mode == "embedded")
    }


@pytest.mark.crewai
def test_every_rung_is_climbed_every_round(climbed):
    _, frames, requests = climbed
    found = facts(frames, "ladder")
    assert [each["name"] for each in found["rungs"]] == ["connect", "raw request", "sdk", "crewai llm", "agent"]
    assert {each["samples"] for each in found["rungs"]} == {5}
    assert all(len(each["seconds"]) == 5 for each in found["rungs"])
    assert found["conclusive"] is True
    assert [decode(Rung, each).name for each in found["rungs"]][-1] == "agent"
    assert found["rungs"][0]["median"] < 0.05 <= found["rungs"][1]["median"]
    assert {each["status"] for each in requests} == {200}
    order = [each["attrs"]["rung"] for each in frames if each["k"] == "open" and each["name"] == "ladder.rung"]
    assert order[:6] == ["connect", "raw request", "sdk", "crewai llm", "agent", "connect"]


def inventory(tasks=1, tools=0, *, known=True, provider="openai"):
    agent = AgentEntry("agent:analyst", "analyst", SUBJECT)
    entry = LlmEntry(SUBJECT, "gpt-4o", provider, known=known, endpoint="host:h:443")
    return Inventory(
        "t",
        "c",
        "/",
        "module",
        agents=(agent,),
        tasks=tuple(TaskEntry(f"task:{number}", "agent:analyst") for number in range(tasks)),
        tools=tuple(ToolEntry(f"tool:{number}", str(number), "function", None) for number in range(tools)),
        llms=(entry,),
    )


@pytest.mark.parametrize(
    ("tasks", "tools", "most"), [(1, 0, 20), (1, 1, 20), (2, 2, 20), (3, 3, 20), (6, 6, 20), (1, 0, 60)]
)
def test_the_probes_leave_the_crew_the_calls_it_needs(tasks, tools, most):
    held = inventory(tasks, tools)
    options = Options(llm="own", max_llm_calls=most)
    planned = [each for probe in (llm_sdk, llm_crewai, ladder) for each in probe.plan(held, options, ())]
    spent = sum(each.llm_calls for each in planned if isinstance(each, Step))
    needed = 2 * tasks + tools
    assert spent <= max(most - needed, 4)


def test_a_model_is_climbed_after_its_raw_calls_and_only_if_they_were_answered():
    held = inventory()
    for probe in (llm_crewai, ladder):
        (step,) = probe.plan(held, Options(llm="own"), ())
        assert step.args["needs_answer_of"] == f"llm.sdk@{SUBJECT}"
        assert f"llm.sdk@{SUBJECT}" in step.after
        assert step.lane == "host:h:443"


def test_on_the_embedded_model_nothing_is_spent():
    held = inventory(known=False, provider="anthropic")
    for probe in (llm_sdk, llm_crewai, ladder):
        (step,) = probe.plan(held, Options(llm="embedded"), ())
        assert (step.llm_calls, step.tokens) == (0, 0)


def test_a_foreign_model_is_skipped_by_name():
    held = inventory(known=False, provider="anthropic")
    for probe in (llm_sdk, llm_crewai, ladder):
        (skip,) = probe.plan(held, Options(llm="own"), ())
        assert isinstance(skip, Skip)
