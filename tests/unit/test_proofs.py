"""From calls against a failing server to a verdict on each setting."""

import pytest

from crewdoctor.llm.experiments import AGENT, CALL
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.inventory import Inventory, LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.model.proof import Verdict
from crewdoctor.model.recording import Experiments, Header, Recording
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.setting import UNLIMITED, Provenance, Seconds, Setting
from crewdoctor.model.span import Failure, FailureKind, Span
from crewdoctor.proofs import proof_of, proofs

LLM, BY_USER = "agent:Clerk/llm", Provenance("python", "crew.py:3")
BY_SDK = Provenance("default", "default of an SDK")
STILL = Failure(FailureKind.DEADLINE, "still waiting")
GAVE_UP = Failure(FailureKind.TIMEOUT_READ, "timed out")


def setting(name, value, whence=BY_USER, subject=LLM):
    return Setting(subject, "llm", name, value, whence)


READ, CONNECT = setting("timeout.read", Seconds(30)), setting("timeout.connect", Seconds(30))
BARE = setting("timeout.read", Seconds(600), BY_SDK)
ENDLESS = setting("timeout.read", UNLIMITED, BY_SDK)
LOST = setting("dropped.timeout", 30)


class Lab:
    """Experiments as they would be recorded."""

    def __init__(self, *settings, refused=None):
        self.settings, self.refused = settings, refused or {}
        self.spans, self.results = [], []

    def _step(self, probe, subject, seconds, **facts):
        step = Step(f"{probe}@{len(self.results)}", probe, Layer.LLM, subject, "loaded", 16.0, {"models": [LLM]})
        self.results.append(StepResult(step, Status.OK, 0.0, seconds, facts=facts))
        return step.id

    def call(self, phase, attempts, *, failure=GAVE_UP, written=30.0, limit=1.0, in_force=1.0, pause=0.5):
        """One call of as many attempts of so many seconds."""
        whole = sum(attempts) + pause * (len(attempts) - 1)
        step = self._step("llm.proof", "a server", whole, refused=self.refused)
        attrs = {"phase": phase, "limit": limit if written else 0.0, "watched": whole}
        attrs |= {"written": {"timeout": written}} if written else {"written": {}}
        attrs |= {} if failure is STILL or failure is None else {"error": f"Gone: {failure.text}"}
        call = f"{step}.0"
        self.spans.append(Span(call, step, CALL, 0.0, whole, Layer.LLM, LLM, None, failure, attrs))
        at = 0.0
        told = {"timeout": in_force if in_force is not None else "unlimited"}
        for number, seconds in enumerate(attempts, 1):
            end = at + seconds
            request = {"timeout": {"connect": told, "read": told}}
            self.spans.append(
                Span(f"{step}.{number}", step, "http.request", at, end, Layer.LLM, LLM, call, failure, request)
            )
            at = end + pause
        return self

    def agent(self, way, seconds, *, failure=GAVE_UP, raised=None):
        step = self._step("agent.proof", "agent:Clerk", seconds)
        attrs = {"way": way, "limit": 1.0, "model_limit": 3.0} | ({"raised": raised} if raised else {})
        self.spans.append(
            Span(f"{step}.0", step, AGENT, 0.0, seconds, Layer.AGENT, "agent:Clerk", None, failure, attrs)
        )
        return self

    @property
    def evidence(self):
        inventory = Inventory("", "", "", "", llms=(LlmEntry(LLM, "m", "p", known=True),), settings=self.settings)
        if not self.results:
            self._step("llm.proof", "a server", 1.0, refused=self.refused)
        held = Experiments(spans=tuple(self.spans))
        return Evidence(Recording(Header(), inventory, results=tuple(self.results), experiments=held))

    def verdict(self, which):
        return next(each for each in proofs(self.evidence) if each.setting == which.id)


def test_a_limit_that_ends_a_silent_call_is_honoured():
    proof = Lab(READ).call("request", [1.1]).verdict(READ)

    assert proof.verdict is Verdict.HONOURED
    assert proof.times == 1
    assert proof.evidence == ("llm.proof@0.0",)


def test_a_limit_that_ends_silence_and_no_trickle_is_honoured_per_read():
    lab = Lab(READ).call("request", [1.1]).call("trickle", [6.0], failure=STILL, limit=2.0)

    assert lab.verdict(READ).verdict is Verdict.PER_READ


def test_a_call_that_fails_of_something_else_proves_nothing():
    failure = Failure(FailureKind.TLS_FAILED, "handshake failure")
    proof = Lab(READ).call("request", [0.2], failure=failure).verdict(READ)

    assert proof.verdict is Verdict.UNKNOWN
    assert "it failed before that (Gone: handshake failure)" in proof.said


def test_a_limit_written_shorter_than_ours_is_judged_by_itself():
    assert Lab(READ).call("request", [0.3], written=0.3, in_force=0.3).verdict(READ).verdict is Verdict.HONOURED


def test_a_trickle_that_is_ended_in_time_is_no_per_read():
    lab = Lab(READ).call("request", [1.1]).call("trickle", [2.1], limit=2.0)

    assert lab.verdict(READ).verdict is Verdict.HONOURED


def test_each_attempt_has_its_own_limit():
    proof = Lab(READ).call("request", [1.1, 1.0, 1.0]).verdict(READ)

    assert (proof.verdict, proof.times) == (Verdict.HONOURED, 3)
    assert proof.words == "honoured, multiplied by 3"


def test_who_goes_on_repeating_when_nobody_watches_any_more_honoured_it_too():
    assert Lab(READ).call("request", [1.0] * 4, failure=STILL).verdict(READ).verdict is Verdict.HONOURED


def test_a_call_that_still_waits_long_after_ignores_the_limit():
    proof = Lab(READ).call("request", [6.0], failure=STILL, in_force=None).verdict(READ)

    assert proof.verdict is Verdict.IGNORED
    assert "at the wire stands no limit at all" in proof.said


def test_a_limit_on_the_first_byte_alone_does_not_hold_within_the_body():
    lab = Lab(READ).call("request", [1.0]).call("body", [6.0], failure=STILL)

    assert lab.verdict(READ).verdict is Verdict.IGNORED


def test_a_dropped_limit_is_shown_to_be_ignored():
    proof = Lab(ENDLESS, LOST).call("request", [6.0], failure=STILL, in_force=300.0).verdict(LOST)

    assert proof.verdict is Verdict.IGNORED
    assert "at the wire stand 300 s" in proof.said


def test_a_limit_read_as_dropped_that_holds_after_all_is_not_called_ignored():
    lab = Lab(LOST).call("request", [1.1])

    assert lab.verdict(LOST).verdict is Verdict.HONOURED
    assert proof_of(lab.evidence, LOST).verdict is Verdict.HONOURED


def test_nothing_at_the_wire_and_no_end_is_unlimited():
    lab = Lab(ENDLESS).call("request", [6.0], failure=STILL, written=None, in_force=None)

    assert lab.verdict(ENDLESS).verdict is Verdict.UNLIMITED


def test_a_default_is_read_where_it_stands():
    lab = Lab(BARE).call("request", [6.0], failure=STILL, written=None, in_force=600.0)

    assert lab.verdict(BARE).verdict is Verdict.IN_FORCE
    assert "600 s stands at the wire" in lab.verdict(BARE).said


def test_connecting_and_shaking_hands_both_count():
    lab = Lab(CONNECT).call("connect", [1.0]).call("tls", [6.0], failure=STILL)

    assert lab.verdict(CONNECT).verdict is Verdict.IGNORED


@pytest.mark.parametrize("why", ["its argument `http_client` holds a live client, which cannot be built again"])
def test_what_could_not_be_built_again_is_unknown_with_the_reason(why):
    lab = Lab(READ, refused={LLM: why})

    assert (lab.verdict(READ).verdict, lab.verdict(READ).said) == (Verdict.UNKNOWN, why)
    assert proof_of(lab.evidence, READ) is None


def test_a_call_that_sends_nothing_proves_nothing():
    proof = Lab(READ).call("request", [], failure=Failure(FailureKind.BAD_ARGUMENT, "no key")).verdict(READ)

    assert proof.verdict is Verdict.UNKNOWN
    assert "nothing was sent" in proof.said


@pytest.mark.parametrize(
    ("value", "whence", "name", "on_500", "verdict"),
    [
        (2, BY_USER, "max_retries", 3, Verdict.HONOURED),
        (0, BY_USER, "max_retries", 3, Verdict.IGNORED),
        (2, BY_SDK, "max_retries", 3, Verdict.IN_FORCE),
        (0, BY_USER, "dropped.max_retries", 4, Verdict.IGNORED),
        (3, BY_USER, "dropped.max_retries", 4, Verdict.UNKNOWN),
    ],
)
def test_retries_are_counted(value, whence, name, on_500, verdict):
    held = setting(name, value, whence)
    lab = Lab(held).call("500", [0.1] * on_500).call("429", [0.1] * 3 * on_500)

    assert lab.verdict(held).verdict is verdict


def test_a_layer_above_multiplies_retries():
    held = setting("max_retries", 2)
    lab = Lab(held).call("500", [0.1] * 3).call("429", [0.1] * 9)

    assert lab.verdict(held).times == 3


@pytest.mark.parametrize(
    ("pause", "said"), [(3.0, "Retry-After: 3 was waited for"), (1.1, "was not waited for: asked again after 1.1 s")]
)
def test_retry_after_is_told(pause, said):
    held = setting("max_retries", 1)
    lab = Lab(held).call("500", [0.1] * 2).call("429 retry-after", [0.1] * 3, pause=pause)

    assert said in lab.verdict(held).said


DEADLINE = Setting("agent:Clerk", "agent", "max_execution_time", Seconds(60), BY_USER)


@pytest.mark.parametrize(
    ("sync", "verdict"),
    [(3.4, Verdict.IGNORED), (8.0, Verdict.IGNORED), (1.3, Verdict.HONOURED), (0.2, Verdict.UNKNOWN)],
)
def test_whether_an_agents_limit_interrupts(sync, verdict):
    assert Lab(DEADLINE).call("500", [0.1]).agent("kickoff", sync).verdict(DEADLINE).verdict is verdict


def test_who_awaits_is_told_in_time_while_the_call_goes_on():
    lab = Lab(DEADLINE).call("500", [0.1]).agent("akickoff", 4.0, raised=1.1)

    assert lab.verdict(DEADLINE).verdict is Verdict.IGNORED
    assert "told after 1.1 s, the call went on" in lab.verdict(DEADLINE).said
