"""What makes a rule of the model speak or stay quiet, beside its two recordings."""

from dataclasses import replace
from pathlib import Path

import pytest

from crewdoctor import budget, rulebook
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Failure, FailureKind, Span, Stack
from crewdoctor.waits import blocked
from crewdoctor.wire.recording import read_recording

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "recordings"
QUOTA = "Error code: 429 - {'error': {'message': 'You exceeded your current quota.', 'code': 'insufficient_quota'}}"


def held(name):
    return read_recording(RECORDINGS / name / "recording.jsonl")


def told(recording, code):
    return rulebook.run(Evidence(recording, budget.ledger_of(recording)), select=(code,))[0]


def changed(recording, change):
    return replace(recording, spans=tuple(change(span) for span in recording.spans))


def answering(status, kind, text=""):
    """Every failed request and call of a model failed so instead."""

    def change(span):
        if span.failure is None or span.name not in {"http.request", "llm.call"}:
            return span
        attrs = {**span.attrs, "status": status} if span.name == "http.request" else span.attrs
        return replace(span, failure=Failure(kind, text), attrs=attrs)

    return change


@pytest.mark.parametrize(
    ("status", "kind", "text", "words"),
    [
        (401, FailureKind.HTTP_UNAUTHORIZED, "{'error': {'message': 'Incorrect API key.'}}", "401 (api_key: "),
        (
            404,
            FailureKind.HTTP_NOT_FOUND,
            "{'error': {'message': \"The model isn't there\"}}",
            "The model isn't there.",
        ),
        (404, FailureKind.HTTP_NOT_FOUND, "<html><h1>404 Not Found</h1>nginx</html>", ": 404 Not Found nginx."),
        (429, FailureKind.HTTP_RATE_LIMITED, QUOTA, "answers 429: You exceeded your current quota."),
    ],
)
def test_a_final_no_is_told_in_the_servers_own_words(status, kind, text, words):
    (finding,) = told(changed(held("cd214_fires"), answering(status, kind, text)), "CD214")
    assert words in finding.message
    assert "asked 3 times by the crew" in finding.message


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, FailureKind.HTTP_RATE_LIMITED),
        (500, FailureKind.HTTP_SERVER_ERROR),
        (408, FailureKind.HTTP_SERVER_ERROR),
        (None, FailureKind.TIMEOUT_READ),
    ],
)
def test_what_another_moment_may_change_is_not_final(status, kind):
    assert told(changed(held("cd214_fires"), answering(status, kind)), "CD214") == ()


def test_a_page_instead_of_a_completion_counts_the_crews_calls_that_failed_on_it():
    def paged(span):
        if span.name == "http.request":
            return replace(span, failure=None, attrs={**span.attrs, "status": 200})
        raw = span.step.startswith("llm.sdk")
        kind = FailureKind.PROTOCOL if raw else FailureKind.EXCEPTION
        return replace(span, failure=Failure(kind, "200 with text/html")) if span.name == "llm.call" else span

    (finding,) = told(changed(held("cd214_fires"), paged), "CD214")
    assert "answers with no completion" in finding.message
    assert "200 with text/html" in finding.message
    assert "asked 3 times by the crew" in finding.message


def test_a_used_up_quota_is_no_rate_limit():
    assert told(held("cd210_fires"), "CD210")
    spent = changed(held("cd210_fires"), answering(429, FailureKind.HTTP_RATE_LIMITED, QUOTA))
    assert told(spent, "CD210") == ()


def without_crew(recording):
    """The kickoff's requests get through; the limit was met by crewdoctor's own."""

    def change(span):
        if span.step.startswith("crew.") and span.name in {"http.request", "llm.call"}:
            return replace(span, failure=None, attrs={**span.attrs, "status": 200})
        return span

    recording = changed(recording, change)
    attrs = {"status": 429, "ratelimit": {"limit-requests": "40"}}
    of = "agent:Researcher/llm"
    refused = Failure(FailureKind.HTTP_RATE_LIMITED)
    call = Span("90.1", f"llm.crewai@{of}", "llm.call", 9.0, 9.1, Layer.LLM, of, None, refused)
    requests = [
        Span(f"90.{n}", call.step, "http.request", 9.0, 9.1, Layer.LLM, of, "90.1", refused, attrs) for n in (2, 3)
    ]
    return replace(recording, spans=(*recording.spans, call, *requests))


def test_a_limit_that_only_crewdoctors_own_calls_met_is_a_note_where_it_leaves_the_crew_room():
    recording = without_crew(held("cd210_fires"))
    (finding,) = told(recording, "CD210")
    assert finding.severity.value == "info"
    assert "the crew itself, with 9 in a minute, met no limit" in finding.message
    assert told(recording, "CD213") == ()


def test_a_limit_below_twice_what_the_crew_needs_is_a_warning():
    recording = without_crew(held("cd210_fires"))
    tight = changed(recording, lambda span: replace(span, attrs=lower(span.attrs)))
    (finding,) = told(tight, "CD210")
    assert finding.severity.value == "warning"
    assert "max_rpm=9" in finding.fix.code


def test_an_unstated_limit_the_crew_did_not_meet_a_moment_later_is_a_note():
    recording = without_crew(held("cd210_fires"))
    unstated = changed(recording, lambda span: replace(span, attrs={**span.attrs, "ratelimit": None}))
    (finding,) = told(unstated, "CD210")
    assert finding.severity.value == "info"
    (late,) = told(changed(unstated, lambda span: later(span, 60.0)), "CD210")
    assert late.severity.value == "warning"


def later(span, seconds):
    """The crew's spans a minute later: a limit per minute has let them in again."""
    if not span.step.startswith("crew."):
        return span
    return replace(span, start=span.start + seconds, end=span.end + seconds)


def refused_until(recording, count):
    """The crew's first `count` requests are turned away, and calls that had none but those failed."""
    calls = {}
    for span in recording.spans:
        if span.step.startswith("crew.") and span.name == "http.request":
            calls.setdefault(span.parent, []).append(span.id)
    order = [each for held in calls.values() for each in held]
    well = set(order[count:])

    def change(span):
        fine = span.id in well or (span.id in calls and well & set(calls[span.id]))
        return replace(span, failure=None, attrs={**span.attrs, "status": 200}) if fine else span

    return changed(recording, change)


def test_a_limit_that_a_later_try_of_crewai_got_past_failed_no_call():
    (finding,) = told(refused_until(held("cd210_fires"), 4), "CD210")
    assert (finding.severity.value, finding.message.endswith("retries got through.")) == ("warning", True)


def test_who_was_ended_while_still_trying_is_not_said_to_have_failed():
    def ended(span):
        if span.step.startswith("crew.") and span.name == "llm.call":
            return replace(span, failure=None, end=None)
        return span

    (finding,) = told(changed(held("cd210_fires"), ended), "CD210")
    assert "the crew was still being turned away when it was ended" in finding.message


def lower(attrs):
    return {**attrs, "ratelimit": {"limit-requests": "10"}} if "ratelimit" in attrs else attrs


def test_a_stream_the_crew_never_asks_for_accuses_nobody():
    recording = held("cd221_fires")
    (llm,) = recording.inventory.llms
    plain = replace(recording, inventory=replace(recording.inventory, llms=(replace(llm, attrs={}),)))
    assert told(recording, "CD221")
    assert told(plain, "CD221") == ()


def test_a_thread_that_waits_for_a_call_does_not_make_its_answer_move():
    recording = held("cd221_fires")
    call = next(span for span in recording.spans if span.name == "llm.call")
    beside = [
        Stack(f"91.{n}", call.step, at, call.id, "lock", (), thread="MainThread", attrs={"bytes_received": 0})
        for n, at in enumerate((7.9, 21.4))
    ]
    watched = replace(recording, stacks=(*(replace(each, thread="call") for each in recording.stacks), *beside))
    assert blocked(Evidence(watched), call).moving is False
    assert told(watched, "CD221")


def test_one_attempt_per_call_is_not_multiplied_by_the_sdk():
    (finding,) = told(held("cd214_fires"), "CD213")
    assert "3 executions of the task (max_retry_limit=2)." in finding.message
    assert "SDK" not in finding.message


def test_an_outage_behind_one_request_without_repetition_is_told():
    recording = held("cd311_fires")
    alone = replace(recording, spans=tuple(span for span in recording.spans if not span.step.startswith("llm.")))
    (finding,) = told(alone, "CD311")
    assert finding.severity.value == "error"
    assert "See why the server fails every request" in finding.fix.title


@pytest.mark.parametrize(("first", "counted"), [(0.2, "3 for one call, 3 executions"), (2.4, "9 for one call")])
def test_the_sdk_asks_again_for_a_stream_only_that_had_not_begun(first, counted):
    recording = held("cd201_fires")
    (llm,) = recording.inventory.llms
    streamed = replace(recording, inventory=replace(recording.inventory, llms=(replace(llm, attrs={"stream": True}),)))

    def change(span):
        if span.name == "http.request":
            return replace(span, attrs={**span.attrs, "first_byte": first})
        return replace(span, attrs={**span.attrs, "stream": True, "gaps_max": 4.0}) if span.name == "llm.call" else span

    (finding,) = told(changed(streamed, change), "CD201")
    assert "between two chunks" in finding.message
    assert counted in finding.message


def with_model(recording, **fields):
    inventory = recording.inventory
    llms = tuple(
        replace(llm, **{**fields, "attrs": {**llm.attrs, **fields.get("attrs", {})}}) for llm in inventory.llms
    )
    return replace(recording, inventory=replace(inventory, llms=llms))


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("openai", "LLM(..., timeout=60, max_retries=1)"),
        ("gemini", "HttpOptions(timeout=60000)"),
        ("azure", "read_timeout=60"),
        ("bedrock", "Config("),
    ],
)
def test_a_limit_is_suggested_where_the_provider_reads_it(provider, words):
    (finding,) = told(with_model(held("cd208_fires"), provider=provider), "CD208")
    assert words in finding.fix.code


def test_a_refused_key_is_asked_for_under_the_providers_own_name():
    (finding,) = told(with_model(held("cd214_fires"), attrs={"key_variable": "ANTHROPIC_API_KEY"}), "CD214")
    assert "ANTHROPIC_API_KEY" in finding.fix.code


def test_a_dropped_limit_that_is_in_force_anyway_is_a_note():
    recording = held("cd204_fires")
    settings = tuple(
        replace(each, value=Seconds(30.0)) if each.name == "timeout.read" else each
        for each in recording.inventory.settings
    )
    recording = replace(recording, inventory=replace(recording.inventory, settings=settings))
    severities = {finding.limit.name if finding.limit else "": finding.severity for finding in told(recording, "CD204")}
    assert severities["timeout"] is Severity.INFO


def test_retries_that_never_reach_the_client_are_a_warning():
    severities = [finding.severity for finding in told(held("cd204_fires"), "CD204")]
    assert severities == [Severity.ERROR, Severity.WARNING]
