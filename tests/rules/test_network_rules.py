"""What may keep a network rule quiet: the crew's own traffic, a model nobody calls, an endpoint nobody uses."""

from dataclasses import replace
from pathlib import Path

import pytest

from crewdoctor import rulebook
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.model.recording import Header, Recording
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.setting import UNLIMITED, Provenance, Seconds, Setting
from crewdoctor.model.span import Failure, FailureKind, Span
from crewdoctor.wire.recording import read_recording

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "recordings"
SICK = ["cd103", "cd105", "cd106", "cd110", "cd111", "cd121"]


def sick(code):
    return read_recording(RECORDINGS / f"{code}_fires" / "recording.jsonl")


def told(recording, code="CD1"):
    return rulebook.run(Evidence(recording), select=(code.upper(),))[0]


def with_endpoint(recording, **changes):
    (endpoint,) = recording.inventory.endpoints
    return replace(recording, inventory=replace(recording.inventory, endpoints=(replace(endpoint, **changes),)))


def with_spans(recording, *spans):
    return replace(recording, spans=(*recording.spans, *spans))


def request(recording, **changes):
    (endpoint,) = recording.inventory.endpoints
    attrs = {"client": "httpx", "host": endpoint.host, "port": endpoint.port, "status": 200}
    span = Span("9.1", "tool.isolated@tool:lookup", "http.request", 1.0, 1.2, Layer.TOOL, "tool:lookup", attrs=attrs)
    return replace(span, **changes)


def call(**changes):
    span = Span("9.2", "tool.isolated@tool:lookup", "tool.call", 0.9, 1.3, Layer.TOOL, "tool:lookup")
    return replace(span, **changes)


@pytest.mark.parametrize("code", SICK)
def test_it_fires_on_the_bare_recording(code):
    (finding,) = told(sick(code), code)

    assert (finding.code, finding.severity.value) == (code.upper(), "error")
    assert (finding.measured is None) == (finding.limit is None)


@pytest.mark.parametrize("code", SICK)
def test_a_request_of_the_crew_that_was_answered_beats_the_probe(code):
    recording = sick(code)

    assert told(with_spans(recording, request(recording)), code) == ()


@pytest.mark.parametrize("code", ["cd103", "cd105", "cd106", "cd121"])
def test_a_tool_that_came_back_well_beats_the_probe(code):
    assert told(with_spans(sick(code), call()), code) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"failure": Failure(FailureKind.TCP_REFUSED)},
        {"attrs": {"error_text": "connection refused"}},
        {"attrs": {"guarded": True}},
        {"end": None},
        {"subject": "tool:other"},
    ],
)
def test_a_call_that_proves_nothing_does_not(changes):
    assert len(told(with_spans(sick("cd105"), call(**changes)), "cd105")) == 1


def test_a_gateway_status_is_no_proof_that_the_service_was_reached():
    recording = sick("cd110")
    attrs = {**request(recording).attrs, "status": 503}

    assert len(told(with_spans(recording, request(recording, attrs=attrs)), "cd110")) == 1


def test_a_failed_request_becomes_evidence_and_counts_as_lost():
    recording = sick("cd105")
    failed = request(
        recording, failure=Failure(FailureKind.TCP_REFUSED), end=4.0, attrs={**request(recording).attrs, "status": None}
    )

    (finding,) = told(with_spans(recording, failed, call(failure=failed.failure, end=4.1)), "cd105")

    assert failed.id in finding.evidence
    assert finding.lost == pytest.approx(3.0)


@pytest.mark.parametrize("code", [*SICK, "cd101"])
@pytest.mark.parametrize("changes", [{"used_by": ()}, {"kind": "telemetry"}])
def test_what_the_crew_does_not_wait_for_is_not_accused(code, changes):
    assert told(with_endpoint(sick(code), **changes)) == ()


@pytest.mark.parametrize("code", ["cd101", "cd103", "cd105", "cd106", "cd111", "cd121"])
@pytest.mark.parametrize(
    ("asked", "key", "note"), [("embedded", True, True), ("auto", False, True), ("auto", True, False)]
)
def test_a_model_nobody_would_call_is_a_note_and_one_played_for_anothers_want_of_a_key_is_none(code, asked, key, note):
    recording = with_endpoint(sick(code), kind="llm", used_by=("agent:Clerk/llm",))
    (endpoint,) = recording.inventory.endpoints
    llm = LlmEntry("agent:Clerk/llm", "gpt-4o", "openai", True, endpoint.subject, usable_key=key)
    header = replace(recording.header, options=replace(recording.header.options, llm=asked))
    inventory = replace(recording.inventory, llms=(llm,))
    recording = replace(recording, header=header, inventory=inventory, simulated=(llm.subject,))

    assert [each.severity.value == "info" for each in told(recording, code)] == [note]


def test_a_dead_memory_host_is_a_warning():
    (finding,) = told(with_endpoint(sick("cd105"), kind="memory"), "cd105")

    assert finding.severity.value == "warning"


def test_a_direct_path_nobody_takes_is_not_accused():
    recording = sick("cd105")
    asked = [result for result in recording.results if result.step.probe == "net.proxy"]
    through = [{**each, "proxy": "http://127.0.0.1:3128"} for each in asked[0].facts["decisions"]]
    results = tuple(
        replace(each, facts={**each.facts, "decisions": through}) if each in asked else each
        for each in recording.results
    )

    assert told(replace(recording, results=results), "cd105") == ()


@pytest.mark.parametrize(
    ("value", "lost", "words"),
    [(Seconds(30.0), 30.0, "waits 30 s"), (UNLIMITED, 127.0, "the kernel gives up")],
)
def test_what_a_dropped_connection_costs_is_computed_from_the_limit_in_force(value, lost, words):
    recording = sick("cd106")
    written = Setting("tool:lookup", "tool", "timeout", value, Provenance("python", "tools.py:9"))
    recording = replace(recording, inventory=replace(recording.inventory, settings=(written,)))

    (finding,) = told(recording, "cd106")

    assert (finding.lost, finding.limit.value) == (lost, value)
    assert words in finding.message


@pytest.mark.parametrize(("allowed", "severities"), [(0.1, ["error"]), (0.9, ["warning"]), (5.0, [])])
def test_a_connect_is_compared_with_the_limit_of_those_who_wait_for_it(allowed, severities):
    recording = read_recording(RECORDINGS / "cd105_quiet" / "recording.jsonl")
    slow = tuple(
        replace(span, end=span.start + 0.5) if span.name == "tcp.connect" else span for span in recording.spans
    )
    written = Setting("tool:lookup", "tool", "timeout", Seconds(allowed), Provenance("python", "tools.py:9"))
    recording = replace(recording, spans=slow, inventory=replace(recording.inventory, settings=(written,)))

    assert [each.severity.value for each in told(recording, "cd107")] == severities


UNTRUSTED = Failure(FailureKind.TLS_UNTRUSTED, "certificate verify failed")


def test_a_certificate_the_crew_itself_stumbled_over_is_an_error():
    recording = sick("cd120")
    attrs = {**request(recording).attrs, "status": None}

    (finding,) = told(with_spans(recording, request(recording, failure=UNTRUSTED, end=3.0, attrs=attrs)), "cd120")

    assert (finding.severity.value, finding.observed, finding.lost) == ("error", True, pytest.approx(2.0))
    assert "9.1" in finding.evidence


@pytest.mark.parametrize(("client", "codes"), [("httpx", []), ("requests", ["CD120"])])
def test_a_client_that_got_through_all_the_same_is_not_accused(client, codes):
    recording = sick("cd120")
    through = request(recording, attrs={**request(recording).attrs, "client": client})

    assert [each.code for each in told(with_spans(recording, through), "cd120")] == codes


def test_the_openai_sdk_gets_through_where_httpx_does():
    recording = sick("cd120")
    through = request(recording, attrs={**request(recording).attrs, "client": "openai"})

    assert told(with_spans(recording, through), "cd120") == ()


def slow_proxy(cut_off):
    """The proxy answers after 2.6 s what takes 1 ms without it; the crew's request got through it, or gave up."""
    recording = sick("cd111")
    step = next(each.step.id for each in recording.results if each.step.probe == "net.proxy")
    exchange = next(span for span in recording.spans if span.name == "proxy.connect")
    slow = replace(
        exchange, end=exchange.start + 2.6, failure=None, attrs={**exchange.attrs, "connected": 0.001, "status": 200}
    )
    spans = tuple(slow if span is exchange else span for span in recording.spans)
    direct = {"connected": 0.001, "status": None}
    results = tuple(
        replace(each, facts={**each.facts, "direct": direct}) if each.step.id == step else each
        for each in recording.results
    )
    recording = replace(recording, spans=spans, results=results)
    there = request(recording)
    gave_up = Failure(FailureKind.TIMEOUT_CONNECT)
    failed = replace(there, id="9.3", failure=gave_up, end=there.start + 2.0, attrs={**there.attrs, "status": None})
    return with_spans(recording, there, *([failed] if cut_off else ()))


def test_a_proxy_that_is_slow_and_serves_is_accused_only_where_a_client_gave_up_on_it():
    assert told(slow_proxy(cut_off=False), "cd111") == ()
    (finding,) = told(slow_proxy(cut_off=True), "cd111")
    assert finding.severity.value == "error"


def test_a_variable_is_only_to_be_unset_where_the_direct_way_works():
    (finding,) = told(sick("cd111"), "cd111")
    assert "unset" not in finding.fix.code
    assert "name another one" in finding.fix.title


def connect(recording, address, **changes):
    (endpoint,) = recording.inventory.endpoints
    family = "v6" if ":" in address else "v4"
    attrs = {"host": endpoint.host, "port": endpoint.port, "address": address, "family": family}
    span = Span("9.3", "crew.kickoff@crew:crew", "tcp.connect", 1.0, 1.01, Layer.TOOL, "tool:lookup", attrs=attrs)
    return replace(span, **changes)


@pytest.mark.parametrize("ended", [{"failure": Failure(FailureKind.TCP_TIMEOUT), "end": 4.0}, {"end": None}])
def test_a_connection_of_the_crew_that_waited_for_ipv6_is_an_error(ended):
    recording = sick("cd104")

    (finding,) = told(with_spans(recording, connect(recording, "2001:db8::77", **ended)), "cd104")

    assert (finding.severity.value, finding.observed) == ("error", True)
    assert finding.lost >= 3.0
    assert "9.3" in finding.evidence


@pytest.mark.parametrize(
    ("address", "ended"),
    [
        ("127.0.3.1", {}),
        ("2001:db8::77", {"failure": Failure(FailureKind.CANCELLED), "end": 1.25}),
    ],
)
def test_a_crew_that_took_ipv4_or_raced_both_is_not_accused(address, ended):
    recording = sick("cd104")

    assert told(with_spans(recording, connect(recording, address, **ended)), "cd104") == ()


def test_a_crew_that_does_not_load_for_want_of_a_socks_extra_is_told_once():
    failure = {"kind": "socks_extra", "sentence": "ALL_PROXY names a SOCKS proxy", "way_out": "unset ALL_PROXY"}
    failure |= {"variable": "ALL_PROXY", "proxy": "127.0.0.1:1080", "package": "socksio", "client": "httpx"}
    inspect = Step("inspect@crew", "inspect", Layer.SETTINGS, "crew", "crew", 60.0)
    result = StepResult(inspect, Status.FAILED, 0.0, 1.0, facts={"load_failure": failure})

    (finding,) = rulebook.run(Evidence(Recording(Header(), results=(result,))))[0]

    assert (finding.code, finding.subject) == ("CD113", "proxy:127.0.0.1:1080")
    assert finding.fix.code == "pip install 'httpx[socks]'  # or: unset ALL_PROXY"


def test_a_model_that_cannot_be_read_for_want_of_a_socks_extra_is_named():
    failure = {"kind": "socks_extra", "sentence": "ALL_PROXY names a SOCKS proxy", "variable": "ALL_PROXY"}
    attrs = {"socks_extra": {**failure, "proxy": "127.0.0.1:1080", "package": "socksio"}}
    model = LlmEntry("agent:Clerk/llm", "gpt-4o", "OpenAICompletion", False, attrs=attrs)
    inspect = Step("inspect@crew", "inspect", Layer.SETTINGS, "crew", "crew", 60.0)
    recording = sick("cd105")
    inventory = replace(recording.inventory, llms=(model,))
    results = (*recording.results, StepResult(inspect, Status.OK, 0.0, 1.0))

    (finding,) = told(replace(recording, inventory=inventory, results=results), "cd113")

    assert (finding.subject, finding.severity.value) == ("agent:Clerk/llm", "error")
    assert finding.message.endswith("agent:Clerk/llm (gpt-4o) cannot be called.")


def stale():
    """The recording, and its request that was reset with the exchange beneath it."""
    recording = sick("cd130")
    request = next(each for each in recording.spans if each.name == "http.request" and each.failure)
    exchange = next(each for each in recording.spans if each.parent == request.id)
    return recording, request, exchange


def with_exchange(recording, request, exchange, **attrs):
    """The same request once more, later."""
    again = replace(request, id="9.8", start=request.end + 0.5, end=request.end + 0.6, failure=None)
    there = replace(exchange, id="9.9", parent="9.8", start=again.start, end=again.end, failure=None)
    there = replace(there, attrs={**exchange.attrs, "received_bytes": 9, "connection": 9, "reused": False, **attrs})
    return with_spans(recording, again, there)


def ended(recording, spans, kind, seconds):
    """The spans end by another failure."""
    by_id = {each.id: replace(each, failure=kind and Failure(kind), end=each.start + seconds) for each in spans}
    return replace(recording, spans=tuple(by_id.get(each.id, each) for each in recording.spans))


def test_a_stale_connection_whose_call_failed_is_an_error_and_one_that_was_tried_again_a_warning():
    recording, request, exchange = stale()

    (failed,) = told(recording, "cd130")
    (healed,) = told(with_exchange(recording, request, exchange), "cd130")

    assert (failed.severity.value, healed.severity.value) == ("error", "warning")
    assert failed.measured.value == Seconds(8.0)
    assert failed.limit.value is UNLIMITED
    assert {request.id, exchange.id} <= set(failed.evidence)


def test_silence_on_a_reused_connection_needs_an_answer_on_a_fresh_one():
    recording, request, exchange = stale()
    slow = ended(recording, (request, exchange), FailureKind.TIMEOUT_READ, 5.0)
    request = next(each for each in slow.spans if each.id == request.id)

    assert told(slow, "cd130") == ()
    assert [each.code for each in told(with_exchange(slow, request, exchange), "cd130")] == ["CD130"]


def test_a_connection_that_survived_a_longer_pause_says_that_idleness_is_not_the_cause():
    recording, request, exchange = stale()
    alone = next(each.step for each in recording.spans if each.step.startswith("tool.isolated"))
    later, there = replace(request, step=alone), replace(exchange, step=alone)

    assert told(with_exchange(recording, later, there, connection=1, reused=True), "cd130") == ()


def test_a_service_that_cuts_off_fresh_connections_as_well_is_not_forgetful():
    recording = sick("cd130")
    first = next(each for each in recording.spans if each.name == "http.request")

    assert told(ended(recording, (first,), FailureKind.TCP_RESET, 0.1), "cd130") == ()


@pytest.mark.parametrize(
    ("failure", "words", "fix"),
    [
        (None, "knows it", "it knows the name"),
        (Failure(FailureKind.DNS_SERVFAIL, "x answered SERVFAIL"), "says SERVFAIL", "answers SERVFAIL for it"),
    ],
)
def test_an_address_that_comes_with_servfail_is_not_known(failure, words, fix):
    recording = sick("cd103")
    rcode = "SERVFAIL" if failure else "NOERROR"

    def answer(span):
        if span.name != "dns.query":
            return span
        return replace(span, failure=failure, attrs={**span.attrs, "answers": 1, "rcode": rcode})

    (finding,) = told(replace(recording, spans=tuple(map(answer, recording.spans))), "cd103")
    assert words in finding.message
    assert fix in finding.fix.title


@pytest.mark.parametrize(
    ("clients", "seen", "code"),
    [
        (("requests",), "", "requests.get(url, timeout=(5, 60))"),
        (("urllib3",), "", "urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=60))"),
        (("requests",), "aiohttp", "aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60, sock_connect=5))"),
        (("requests", "httpx"), "", ""),
        (("paramiko",), "", ""),
    ],
)
def test_a_connect_is_bounded_in_the_words_of_the_client_that_tried(clients, seen, code):
    recording = with_endpoint(sick("cd106"), clients=clients)
    failed = request(recording, failure=Failure(FailureKind.TCP_TIMEOUT))
    if seen:
        recording = with_spans(recording, replace(failed, attrs={**failed.attrs, "client": seen, "status": None}))

    (finding,) = told(recording, "cd106")

    assert finding.fix.code.split("  #")[0] == code


@pytest.mark.parametrize(
    ("origin", "title"),
    [("default", "Make the name resolve here"), ("environment", "Correct the host in llm base_url")],
)
def test_a_host_nobody_wrote_is_not_to_be_corrected(origin, title):
    recording = with_endpoint(sick("cd103"), kind="llm", source="llm base_url", used_by=("agent:a/llm",))
    base_url = Setting("agent:a/llm", "llm", "base_url", "https://api.example/v1", Provenance(origin, "x"))
    unasked = tuple(span for span in recording.spans if span.name != "dns.query")
    recording = replace(recording, spans=unasked, inventory=replace(recording.inventory, settings=(base_url,)))

    (finding,) = told(recording, "cd103")

    assert finding.fix.title.startswith(title)
