"""Hosts beside models and tools: the rule of their kind speaks, and no other."""

from dataclasses import replace
from pathlib import Path

import pytest

from crewdoctor import budget, mcp, rulebook
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.inventory import Endpoint
from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.wire.recording import read_recording

RECORDINGS = Path(__file__).resolve().parents[2] / "fixtures" / "recordings"


def recording(name):
    return read_recording(RECORDINGS / name / "recording.jsonl")


def found(held):
    findings, _ = rulebook.run(Evidence(held, budget.ledger_of(held)))
    return {finding.code: finding for finding in findings}


@pytest.mark.parametrize(("kind", "told"), [("memory", False), ("mcp", False), ("tool", True)])
def test_a_host_with_a_rule_of_its_own_is_left_to_it(kind, told):
    held = recording("cd507_fires")
    host, _, port = found(held)["CD507"].host.rpartition(":")
    beside = Endpoint(f"host:{host}:{port}", "http", host, int(port), kind, ("crew/memory",))
    inventory = replace(held.inventory, endpoints=(*held.inventory.endpoints, beside))
    assert ("CD507" in found(replace(held, inventory=inventory))) is told


def test_a_call_the_mcp_client_gave_up_on_was_waiting_for_its_server_though_its_requests_ended_well():
    held = recording("cd322_fires")
    evidence = Evidence(held, budget.ledger_of(held))
    call = next(span for span in evidence.spans("tool.call") if span.subject == found(held)["CD322"].subject)
    beneath = {span.id for span in evidence.children(call)}
    ended = tuple(
        replace(span, end=span.start + 31.0, failure=None) if span.id in beneath else span for span in held.spans
    )
    (server,) = [each for each in mcp.users(evidence).values() if each is not None]
    held = replace(held, spans=ended)
    evidence = Evidence(held, budget.ledger_of(held))
    gave_up = replace(call, end=call.start + 93.0, failure=Failure(FailureKind.TIMEOUT_TOTAL))
    answered = replace(call, end=call.start + 93.0, failure=None)
    assert mcp.waits_for(evidence, gave_up, server)
    assert not mcp.waits_for(evidence, answered, server)
