"""Each tool alone: what is planned for it, and what a call leaves behind."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import replace

import pytest
from pydantic import BaseModel, Field

from crewdoctor.model.inventory import Endpoint, Inventory, ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip
from crewdoctor.model.probe import CannotProbe
from crewdoctor.model.result import Status, StepResult
from crewdoctor.probes import tool_isolated
from crewdoctor.wire.frames import from_line
from crewdoctor.worker.recorder import Recorder


def entry(name, *endpoints, kind="function"):
    return ToolEntry(f"tool:{name}", name, kind, None, endpoints=endpoints)


def inventory(*tools):
    hosts = sorted({each for tool in tools for each in tool.endpoints})
    endpoints = tuple(Endpoint(each, "http", *each.split(":")[1:], "tool") for each in hosts)
    return Inventory("crew.py", "c", "/x", "module", tools=tools, endpoints=endpoints, inputs_given=("topic",))


def planned(*tools, **options):
    return list(tool_isolated.plan(inventory(*tools), Options(**options), ()))


def test_each_tool_gets_a_step_with_what_the_user_gave():
    first, second = planned(
        entry("search", "host:a:1"),
        entry("post"),
        tool_arguments={"search": {"q": "x"}},
        allow_tools=("post",),
        inputs={"year": 1},
    )
    assert (first.id, first.worker, first.subject) == ("tool.isolated@tool:search", "loaded", "tool:search")
    assert first.args["arguments"] == {"q": "x"}
    assert first.args["recorded"] == ["topic", "year"]
    assert first.args["places"] == ["http://a:1/"]
    assert not first.args["allowed"]
    assert second.args["allowed"]
    assert "allowed to write" in second.announce
    assert first.llm_calls == second.llm_calls == 0


def test_tools_of_one_endpoint_never_run_at_the_same_time():
    one, two, three, four, other = planned(*(entry(n, "host:a:1") for n in "abcd"), entry("e"))
    assert len({step.lane for step in (one, two, three, four)}) == 1
    assert other.lane == ""
    assert one.args["of_lane"] == [tool_isolated.LANE_SECONDS, 4]
    assert other.args["of_lane"] == []


def test_what_is_no_tool_of_the_users_is_left_out_with_the_reason():
    skips = planned(
        entry("m", kind="crewai.tools.mcp_native_tool.MCPNativeTool"),
        entry("d", kind="crewai.tools.agent_tools.delegate_work_tool.DelegateWorkTool"),
    )
    assert all(isinstance(skip, Skip) and skip.reason for skip in skips)


def test_the_second_time_it_plans_nothing():
    (step,) = planned(entry("a"))
    held = StepResult(step, Status.OK, 0.0, 1.0)
    assert list(tool_isolated.plan(inventory(entry("a")), Options(), (held,))) == []


class Arguments(BaseModel):
    subject: str = Field(examples=["north"])


class Tool:
    """What crewai's BaseTool offers to its executor."""

    name = "look"
    args_schema: type[BaseModel] | None = Arguments
    max_usage_count: int | None = 1
    current_usage_count = 0

    def __init__(self, body):
        self.body = body
        self.calls = []

    def run(self, **kwargs):
        if self.max_usage_count is not None and self.current_usage_count >= self.max_usage_count:
            return "limit reached"
        self.current_usage_count += 1
        self.calls.append(kwargs)
        return self.body(**kwargs)


class Crew:
    def __init__(self, tool, inputs=None):
        self.crew, self._tool, self.inputs = None, tool, inputs or {}

    def tool(self, _subject):
        return self._tool


def run(tool, *, inputs=None, seconds=30.0, recorder=None, **args):
    """Run the probe on a real recorder; returns its facts and its spans as frames."""
    (step,) = planned(entry("look"))
    step = replace(step, args={**step.args, **args})
    recorder = recorder or Recorder()
    recorder.load = lambda: Crew(tool, inputs)
    reading, writing = os.pipe()
    lines = []

    def read():
        with os.fdopen(reading, "rb") as pipe:
            lines.extend(pipe)

    reader = threading.Thread(target=read)
    reader.start()
    recorder.arm(writing, step=step.id, number=7, zero=time.monotonic(), seconds=seconds, layer=Layer.TOOL)
    try:
        tool_isolated.run(step, recorder)
    finally:
        recorder.disarm()
        reader.join()
    frames = [from_line(line) for line in lines]
    facts = {frame["name"]: frame["value"] for frame in frames if frame["k"] == "fact"}
    closed = {frame["id"]: frame for frame in frames if frame["k"] == "close"}
    return facts, [(frame, closed.get(frame["id"])) for frame in frames if frame["k"] == "open"]


def test_a_fast_tool_is_called_three_times_alone_and_four_times_at_once():
    tool = Tool(lambda subject: f"rows of {subject}")
    facts, spans = run(tool)
    assert [frame["attrs"]["n"] for frame, _ in spans] == [1, 1, 1, 4, 4, 4, 4]
    assert all(frame["name"] == "tool.call" and frame["subject"] == "tool:look" for frame, _ in spans)
    assert all(end is not None and end["failure"] is None for _, end in spans)
    assert (len(facts["n1"]), len(facts["n4"])) == (3, 4)
    assert spans[0][1]["attrs"]["output_chars"] == len("rows of north")
    assert not {"failed", "output_error", "blocked"} & set(facts)


def test_the_four_really_run_at_once():
    together = threading.Barrier(4)
    calls = []

    def body(subject):
        calls.append(subject)
        if len(calls) > 3:
            together.wait(10)
        return "ok"

    facts, _ = run(Tool(body))
    assert "n4" in facts


def test_the_usage_limit_of_the_tool_is_neither_met_nor_spent():
    tool = Tool(lambda subject: subject)
    run(tool)
    assert len(tool.calls) == 7
    assert (tool.max_usage_count, tool.current_usage_count) == (1, 0)


def test_a_slow_tool_is_called_once_alone():
    facts, _ = run(Tool(lambda subject: time.sleep(2.05) or subject), seconds=5.0)
    assert len(facts["n1"]) == 1
    assert "n4" not in facts
    assert "2.1 s" in facts["n4_skipped"]
    assert facts["cpu_share"] < 0.5


def test_a_tool_that_computes_is_told_from_one_that_waits():
    def body(subject):
        until = time.monotonic() + 0.4
        while time.monotonic() < until:
            pass
        return subject

    facts, _ = run(Tool(body))
    assert facts["cpu_share"] > 0.3


def test_a_failing_tool_is_a_measurement_and_is_not_called_at_once():
    def body(subject):
        raise ConnectionRefusedError(111, "refused")

    facts, spans = run(Tool(body))
    assert facts["failed"] == "tcp.refused"
    assert "refused" in facts["failure_text"]
    assert "n4" not in facts
    assert spans[0][1]["failure"]["kind"] == "tcp.refused"


def test_an_error_told_in_words_is_noted():
    facts, spans = run(Tool(lambda subject: "Error: upstream said no"))
    assert facts["output_error"] == "Error: upstream said no"
    assert spans[0][1]["attrs"]["error_text"] == "Error: upstream said no"
    assert "n4" not in facts


def test_failing_only_under_load_is_told_apart_from_failing_alone():
    running = []

    def body(subject):
        running.append(1)
        try:
            time.sleep(0.1)
            if len(running) > 2:
                raise TimeoutError("busy")
        finally:
            running.pop()
        return "ok"

    facts, _ = run(Tool(body))
    assert "failed" not in facts
    assert facts["n4_failures"] >= 1
    assert facts["n4_failed"]


@pytest.mark.parametrize(
    ("given", "inputs", "args", "expected"),
    [
        ({"subject": "x"}, {}, {}, ("given", False)),
        ({}, {"subject": "y"}, {"recorded": ["subject"]}, ("recorded", False)),
        ({}, {"subject": "y"}, {"recorded": []}, ("schema", True)),
        ({}, {}, {"allowed": True}, ("schema", False)),
    ],
)
def test_invented_arguments_are_guarded_and_only_they(given, inputs, args, expected):
    recorder = Recorder()
    seen = []
    tool = Tool(lambda subject: seen.append(recorder.writes_blocked) or subject)
    facts, _ = run(tool, inputs=inputs, recorder=recorder, arguments=given, **args)
    assert (facts["args_source"], facts["guarded"]) == expected
    assert set(seen) == {int(expected[1])}
    assert recorder.writes_blocked == 0


def test_what_the_guard_stopped_leaves_the_question_open():
    recorder = Recorder()

    def body(subject):
        recorder.event("blocked.would_write", what="POST", target="api/rows")
        return "Error: could not post"

    tool = Tool(body)
    facts, spans = run(tool, recorder=recorder)
    assert spans[0][1]["attrs"]["blocked"] is True
    assert facts["blocked"] is True
    assert facts["blocked_what"] == ["POST api/rows"]
    assert len(tool.calls) == 1


def test_arguments_the_schema_refuses_are_no_verdict_on_the_tool():
    with pytest.raises(CannotProbe, match="configuration"):
        run(Tool(lambda subject: subject), arguments={"subject": 5})


def test_a_tool_that_asks_at_a_terminal_cannot_be_probed():
    def body(subject):
        raise EOFError("EOF when reading a line")

    with pytest.raises(CannotProbe, match="terminal"):
        run(Tool(body))


def test_a_tool_without_a_schema_is_called_with_what_was_given():
    tool = Tool(lambda **given: str(given))
    tool.args_schema = None
    run(tool, arguments={"a": 1})
    assert tool.calls[0] == {"a": 1}


def test_a_tool_that_runs_its_own_event_loop_works_in_our_thread():
    async def inner(subject):
        await asyncio.sleep(0)
        return subject

    facts, _ = run(Tool(lambda subject: asyncio.run(inner(subject))))
    assert "failed" not in facts


def test_a_service_that_still_works_for_callers_who_gave_up_is_left_to_finish():
    """One at a time, 0.2 s each; the client gives up after 0.3 s: 0.8 s of work were asked for in all."""
    calls = []

    def body(subject):
        calls.append(subject)
        if len(calls) > 3:
            time.sleep(0.3)
            raise TimeoutError("timed out")
        time.sleep(0.2)
        return "ok"

    facts, _ = run(Tool(body))
    assert facts["n4_failures"] == 4
    assert 0.2 < facts["drained"] <= 0.6
