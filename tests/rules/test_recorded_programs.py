"""What rules say of a program that recorded itself: its imports, its questions, its end, and what was cut off."""

import json
from dataclasses import replace

import pytest

from crewdoctor import budget, rulebook
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.inventory import Endpoint, Inventory, ToolEntry
from crewdoctor.model.options import Options
from crewdoctor.pipeline import analyse
from crewdoctor.wire.codec import encode
from crewdoctor.wire.recording import header, read_recording

MAIN = "crew.kickoff@7"
TELEMETRY = {"host": "telemetry.crewai.com", "port": 4319}


def opened(number, name, start, parent=None, subject="program", layer="environment", step=MAIN, **attrs):
    head = {"k": "open", "id": f"7.{number}", "step": step, "name": name, "start": start, "layer": layer}
    return {**head, "subject": subject, "parent": f"7.{parent}" if parent else None, "attrs": attrs}


def closed(number, end, kind="", exception=""):
    failure = {"kind": kind, "text": "", "exception": exception, "causes": []} if kind else None
    return {"k": "close", "id": f"7.{number}", "end": end, "failure": failure, "attrs": {}}


def signal(name, at):
    return {"k": "event", "id": "0.1", "step": "", "name": "program.signal", "at": at, "attrs": {"signal": name}}


def gone(at, code=0, name=""):
    attrs = {"code": code, "signal": name}
    return {"k": "event", "id": "0.2", "step": "", "name": "program.ended", "at": at, "attrs": attrs}


BEGIN = {"k": "begin", "step": MAIN, "at": 0.1, "pid": 7}
END = {"k": "end", "step": MAIN, "at": 30.0, "status": "ok", "reason": "", "failure": None}
DONE = {"k": "fact", "step": MAIN, "name": "result", "value": "completed"}
KNOWN = {"k": "inventory", "inventory": encode(Inventory("main.py", "crew", "/p", "recorded"))}


@pytest.fixture
def recorded(tmp_path):
    """Callable: records to the Recording read from them."""

    def make(*records, whole=True):
        lines = [header(Options(target="python main.py", scope="run", llm="own")), BEGIN, *records]
        path = tmp_path / "r.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in [*lines, *([END] if whole else [])]))
        return read_recording(path)

    return make


def told(recording, code):
    return rulebook.run(Evidence(recording, budget.ledger_of(recording)), select=(code,))[0]


def an_exit(until, kind="dns.not_found", ends=16.0, **host):
    yield opened(1, "process.exit", 6.0)
    yield opened(2, "http.request", 6.1, 1, **(host or TELEMETRY))
    yield closed(2, 6.0 + until, kind)
    yield closed(1, ends)


def test_an_end_spent_on_telemetry_is_measured_and_told_once(recorded):
    held = recorded(*an_exit(9.9), DONE, opened(3, "tcp.connect", 1.0, address="8.8.8.8"), closed(3, 1.1))
    (finding,) = told(held, "CD701")

    assert (finding.measured.value.value, finding.host) == (9.9, "telemetry.crewai.com:4319")
    assert finding.severity.value == "warning"
    assert told(held, "CD703") == ()


def test_where_nothing_outside_was_reached_telemetry_is_a_note(recorded):
    assert told(recorded(*an_exit(9.9), DONE), "CD701")[0].severity.value == "info"


def test_an_end_spent_on_another_host_names_it(recorded):
    (finding,) = told(recorded(*an_exit(9.9, host="spans.internal", port=4318), DONE), "CD703")

    assert finding.host == "spans.internal:4318"
    assert "9.9 s of it trying to reach spans.internal:4318" in finding.message


@pytest.mark.parametrize("records", [an_exit(0.1, ends=9.0), an_exit(1.9, ends=6.4)])
def test_telemetry_that_cost_little_of_the_end_is_not_accused(recorded, records):
    assert told(recorded(*records, DONE), "CD701") == ()


def test_an_end_that_joins_the_thread_of_a_hung_tool_is_no_slow_end(recorded):
    hung = [opened(1, "crew.kickoff", 1.0, layer="crew"), opened(2, "tool.call", 2.0, 1, "tool:t", "tool")]
    held = recorded(
        *hung, opened(3, "process.exit", 4.0), opened(4, "exit.threads", 4.0, 3, threads=["T"]), whole=False
    )

    assert told(held, "CD703") == ()


@pytest.mark.parametrize(("seconds", "count"), [(20.0, 1), (0.5, 0)])
def test_the_question_about_traces_is_measured_where_it_was_put(recorded, seconds, count):
    asked = [opened(1, "prompt.trace", 3.0, subject="terminal"), closed(1, 3.0 + seconds)]

    assert len(told(recorded(KNOWN, *asked, DONE), "CD702")) == count


@pytest.mark.parametrize(("seconds", "count"), [(12.0, 1), (9.0, 0)])
def test_an_outermost_import_of_a_program_is_timed(recorded, seconds, count):
    imports = [
        opened(1, "python.import", 0.2, subject="module:app", module="app"),
        opened(2, "python.import", 0.3, 1, subject="module:crewai", module="crewai"),
        *(closed(2, seconds), closed(1, 0.2 + seconds)),
    ]
    found = told(recorded(*imports, DONE), "CD704")

    assert [each.subject for each in found] == ["module:app"] * count


@pytest.mark.parametrize(("seconds", "count"), [(14.0, 1), (4.0, 0)])
def test_a_program_whose_own_body_waits_before_its_kickoff_starts_late(recorded, seconds, count):
    records = [
        *(opened(1, "python.import", 0.2, module="crewai"), closed(1, 3.0)),
        *(opened(2, "http.request", 3.0, host="catalog.internal", port=80), closed(2, 3.0 + seconds)),
        *(opened(3, "crew.kickoff", 20.0, layer="crew", subject="crew:crew"), closed(3, 22.0)),
    ]

    assert [each.host for each in told(recorded(KNOWN, *records, DONE), "CD704")] == ["catalog.internal:80"] * count


@pytest.mark.parametrize(("kind", "code"), [("tcp.refused", "CD105"), ("tcp.timeout", "CD106"), ("", "")])
def test_the_networks_rules_read_the_programs_own_connections(recorded, kind, code):
    subject = "host:svc.internal:80"
    endpoint = Endpoint(subject, "http", "svc.internal", 80, "tool", used_by=("tool:t",))
    known = {"k": "inventory", "inventory": encode(Inventory("main.py", "c", "/p", "recorded", endpoints=(endpoint,)))}
    place = {"host": "svc.internal", "port": 80, "address": "10.0.0.7"}
    kickoff = [opened(1, "crew.kickoff", 1.0, layer="crew", subject="crew:c"), closed(1, 9.0)]
    held = recorded(known, *kickoff, opened(2, "tcp.connect", 2.0, 1, **place), closed(2, 7.0, kind), DONE)

    found = [each for name in ("CD105", "CD106") for each in told(held, name)]
    assert [(each.code, each.subject) for each in found] == ([(code, subject)] if code else [])


def test_a_host_asked_by_a_thread_beside_the_kickoff_is_not_the_crews(recorded):
    kickoff = [opened(1, "crew.kickoff", 5.0, layer="crew", subject="crew:crew"), closed(1, 20.0)]
    imports = [opened(2, "python.import", 0.2, module="crewai"), closed(2, 3.0)]
    beside = [opened(3, "http.request", 6.0, 2, host="spans.internal", port=4318), closed(3, 16.0, "tcp.timeout")]
    within = [opened(4, "http.request", 6.0, 1, host="hub.internal", port=443), closed(4, 16.0, "tcp.timeout")]
    found = told(recorded(KNOWN, *kickoff, *imports, *beside, *within, DONE), "CD705")

    assert [each.host for each in found] == ["hub.internal:443"]


def cut(kind, exception, at):
    yield opened(1, "crew.kickoff", 1.0, layer="crew", subject="crew:crew")
    yield opened(2, "http.request", 2.0, 1, host="h", port=1)
    yield closed(2, at, kind, exception)
    yield closed(1, at + 0.1, kind, exception)


@pytest.mark.parametrize(
    ("kind", "exception", "at", "expected"),
    [
        ("cancelled", "asyncio.exceptions.CancelledError", 20.01, "interrupted"),
        ("process.exited", "SystemExit", 20.01, "interrupted"),
        ("cancelled", "asyncio.exceptions.CancelledError", 12.0, "cancelled"),
        ("timeout.read", "TimeoutError", 20.01, "timeout.read"),
    ],
)
def test_what_a_signal_cut_off_counts_as_still_going(recorded, kind, exception, at, expected):
    held = recorded(*cut(kind, exception, at), signal("SIGTERM", 20.0), gone(20.5, 143), whole=False)
    request = next(span for span in held.spans if span.name == "http.request")

    assert request.failure.kind.value == expected
    assert held.interrupted == "SIGTERM"


def test_ctrl_c_is_known_without_anybody_around(recorded):
    stopped = {"k": "fact", "step": MAIN, "name": "result", "value": "interrupted"}
    held = recorded(*cut("interrupted", "KeyboardInterrupt", 20.0), stopped)

    assert held.interrupted == "SIGINT"


def test_a_server_that_was_told_to_stop_and_did_is_whole(recorded):
    assert recorded(DONE, signal("SIGINT", 20.0), gone(21.0)).interrupted == ""


@pytest.mark.parametrize(("name", "status"), [("SIGSEGV", "crashed"), ("SIGKILL", "killed"), ("SIGTERM", "killed")])
def test_how_a_process_ended_is_told_as_it_was(recorded, name, status):
    kickoff = opened(1, "crew.kickoff", 1.0, layer="crew", subject="crew:crew")
    held = recorded(KNOWN, kickoff, gone(21.0, -11, name), whole=False)

    (crew,) = [each for each in held.results if each.step.probe == "crew.kickoff"]
    assert crew.status.value == status
    assert [each.code for each in told(held, "CD901")] == ["CD901"] * (name == "SIGSEGV")


def test_a_kickoff_that_never_ended_is_shown_before_a_longer_one_that_did(recorded):
    kickoffs = [
        *(opened(1, "crew.kickoff", 1.0, layer="crew", subject="crew:slow"), closed(1, 20.0)),
        opened(2, "crew.kickoff", 21.0, layer="crew", subject="crew:hung"),
    ]

    assert analyse(recorded(KNOWN, *kickoffs, whole=False)).waterfall[0].subject == "crew:hung"


def test_two_crews_of_one_program_are_one_inventory(recorded):
    first = Inventory("main.py", "a", "/p", "recorded", tools=(ToolEntry("tool:one", "one", "T", None),))
    second = replace(first, crew="b", tools=(ToolEntry("tool:two", "two", "T", None), *first.tools))
    held = recorded(*({"k": "inventory", "inventory": encode(each)} for each in (first, second)), DONE)

    assert held.inventory.crew == "a"
    assert [tool.subject for tool in held.inventory.tools] == ["tool:one", "tool:two"]


def test_cut_off_at_any_byte_it_reads_as_far_as_it_goes(recorded, tmp_path):
    recorded(KNOWN, *cut("interrupted", "KeyboardInterrupt", 20.0), signal("SIGINT", 20.0), gone(21.0, 130))
    whole = (tmp_path / "r.jsonl").read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole)):
        (tmp_path / "cut.jsonl").write_bytes(whole[:length])
        held = read_recording(tmp_path / "cut.jsonl")
        if not length % 13:  # a hundred times slower than reading
            analyse(held)


def a_tool_that_failed(kind):
    tool = ToolEntry("tool:t", "t", "function", None)
    yield {"k": "inventory", "inventory": encode(Inventory("main.py", "c", "/p", "recorded", tools=(tool,)))}
    yield opened(1, "crew.kickoff", 1.0, layer="crew", subject="crew:c")
    yield opened(2, "tool.call", 2.0, 1, "tool:t", "tool", args_source="model")
    yield closed(2, 3.0, kind, "E")
    yield closed(1, 4.0)


@pytest.mark.parametrize(
    ("kind", "count"),
    [("http.unauthorized", 1), ("tls.untrusted", 1), ("python.exception", 0), ("http.not_found", 0), ("", 0)],
)
def test_a_tool_of_a_program_is_accused_of_what_no_argument_causes(recorded, kind, count):
    assert len(told(recorded(*a_tool_that_failed(kind), DONE), "CD305")) == count


def test_what_a_program_did_not_record_is_not_run_and_never_quiet(recorded):
    outcomes = {each.code: each for each in analyse(recorded(KNOWN, DONE)).rules}

    assert outcomes["CD701"].status.value == "not applicable"
    assert outcomes["CD701"].reason == "nothing was recorded for result:environment.telemetry or span:process.exit"
    assert outcomes["CD103"].status.value == outcomes["CD410"].status.value == "not applicable"


def test_the_longest_waits_are_told_with_the_hosts_they_wait_for(recorded):
    waits = [
        *(opened(1, "http.request", 1.0, host="slow.internal", port=80), closed(1, 6.0)),
        *(opened(2, "tcp.connect", 1.0, 1, host="slow.internal", port=80), closed(2, 5.0)),
        *(opened(3, "http.request", 7.0, host="quick.internal", port=80), closed(3, 7.2)),
    ]
    longest = analyse(recorded(KNOWN, *waits, DONE)).environment["longest"]

    assert [(each["whom"], each["seconds"], each["open"]) for each in longest] == [("slow.internal:80", 5.0, False)]
