"""Calls of models and tools as rules read them: what was answered, what was not, and how long it took."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.span import FailureKind, Span
from crewdoctor.waits import unfinished

RAW = "llm.sdk"
"""The probe that calls with a timeout longer than the user's: what it measures is not cut off by the user's."""
ONCE = "once"
"""Kind of the one call of a preflight: made as the user's own program makes it."""
MODEL_KEYS = ("span:llm.call", "span:http.request")
"""What `model_calls` touches."""
SIGNIFICANCE = 0.05
TOO_MANY = 429
"""RFC 6585."""
FIRST_ERROR, SERVER_ERROR = 400, 500
PASSING = frozenset({408, 409, 425, TOO_MANY})
"""Client errors that another moment may change (RFC 9110, RFC 8470); openai-python repeats them too."""
SPENT = re.compile(r"\binsufficient_quota\b")
"""OpenAI's code of a 429 that no waiting ends."""
TOO_LONG = re.compile(
    r"\bcontext_length_exceeded\b|\bmaximum context length\b|\bprompt is too long\b|\binput is too long\b"
    r"|\brequest too large\b|\bexceeds the (?:maximum|context)\b.*\btokens?\b",
    re.IGNORECASE,
)
"""How OpenAI, Anthropic, Bedrock, Gemini and vLLM say that a request is longer than the model takes."""
_OF_LENGTH = frozenset({400, 413, TOO_MANY})
LONGEST_WORDS = 200
_MESSAGE = re.compile(r"""['"](?:message|detail)['"]: (['"])(.+?)\1[,}]""")
_TAGS = re.compile(r"<[^>]{1,200}>")
NOT_ITS_FAULT = frozenset(
    {FailureKind.DEADLINE, FailureKind.INTERRUPTED, FailureKind.BLOCKED_WOULD_WRITE, FailureKind.CANCELLED}
)
"""Failures that are ours."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request on the wire, or a whole call where no request was seen."""

    span: Span
    call: Span
    seconds: float
    latency: float | None
    """Longest wait for a byte of the answer; None: it was never answered."""
    sdk: bool
    """Made by crewdoctor through the raw SDK: it can tell a completion from any other success."""
    raw: bool
    """With crewdoctor's own, longer timeout."""
    stream: bool

    @property
    def answered(self) -> bool:
        """Whether any byte of an answer came, an error's included."""
        return self.latency is not None

    @property
    def ok(self) -> bool:
        """Whether it was answered as asked."""
        return self.span.failure is None and not unfinished(self.span) and self.status < FIRST_ERROR

    @property
    def timed_out(self) -> bool:
        """Whether a clock of the user's stack, not ours, ended the wait for an answer."""
        failure = self.span.failure
        return failure is not None and failure.kind in {FailureKind.TIMEOUT_READ, FailureKind.TIMEOUT_TOTAL}

    def stood_still(self, allowed: float) -> bool:
        """Whether its stream began within `allowed` and waited later: such a one the SDK does not send again."""
        first = _seconds(self.span.attrs.get("first_byte"))
        return self.stream and first is not None and first <= allowed

    @property
    def status(self) -> int:
        """HTTP status of the answer, 0 for none."""
        return int(self.span.attrs.get("status") or 0)

    @property
    def ours(self) -> bool:
        """Whether it ended by our doing, so that it says nothing."""
        failure = self.call.failure
        return unfinished(self.span) or (failure is not None and failure.kind in NOT_ITS_FAULT)

    @property
    def final(self) -> bool:
        """Whether it was answered by an error that no repetition changes."""
        if not self.status:
            return False
        if self.status < FIRST_ERROR:
            return self.unreadable
        failure = self.call.failure
        if self.status == TOO_MANY:
            return failure is not None and SPENT.search(failure.text) is not None
        return self.status < SERVER_ERROR and self.status not in PASSING

    @property
    def unreadable(self) -> bool:
        """Whether it was answered with success, but with no completion: only a call of ours can tell."""
        failure = self.call.failure
        answered = bool(self.status) and self.status < FIRST_ERROR
        return self.sdk and answered and failure is not None and failure.kind is FailureKind.PROTOCOL

    @property
    def limited(self) -> bool:
        """Whether the provider turned it away for its rate."""
        failure = self.span.failure
        limited = failure is not None and failure.kind is FailureKind.HTTP_RATE_LIMITED
        return limited or self.span.attrs.get("status") == TOO_MANY


def told(attempt: Attempt) -> str:
    """What the server said in its error, out of what the SDK made of it; empty where it said nothing."""
    failure = attempt.call.failure
    if failure is None or not attempt.status:
        return ""
    found = _MESSAGE.search(failure.text)
    words = " ".join(_TAGS.sub(" ", found.group(2) if found else failure.text).split()).rstrip(".")
    return words if len(words) <= LONGEST_WORDS else f"{words[: LONGEST_WORDS - 1].rstrip()}…"


def too_long(attempt: Attempt) -> bool:
    """Whether it was turned away for its length: no other moment, and no other attempt, takes it."""
    failure = attempt.call.failure
    return attempt.status in _OF_LENGTH and failure is not None and TOO_LONG.search(failure.text) is not None


def attempts(evidence: Evidence, llm: LlmEntry) -> list[Attempt]:
    """Every request to a model, of all probes, in order of start. Simulated models have none."""
    subjects = {llm.subject, *llm.users}
    requests = evidence.spans("http.request")
    calls = [
        span for span in evidence.spans("llm.call") if span.subject in subjects and not span.attrs.get("simulated")
    ]
    if subjects & evidence.simulated:
        return []
    known = {span.id: span for span in calls}
    parents = {span.id: span.parent for span in evidence.recording.spans}
    by_call: dict[str, list[Span]] = {}
    for request in requests:
        above = request.parent
        while above is not None and above not in known:
            above = parents.get(above)
        if above is not None:
            by_call.setdefault(above, []).append(request)
    held = [_attempt(evidence, request, call) for call in calls for request in by_call.get(call.id) or [call]]
    return sorted(held, key=lambda each: each.span.start)


def _attempt(evidence: Evidence, span: Span, call: Span) -> Attempt:
    took = span.seconds(evidence.end_of(span))
    stream = bool(call.attrs.get("stream"))
    sdk = call.step.split("@", 1)[0] == RAW
    raw = sdk and call.attrs.get("kind") not in {"configured", ONCE}
    return Attempt(span, call, took, _latency(span, call, took, stream=stream), sdk, raw, stream)


def _latency(span: Span, call: Span, took: float, *, stream: bool) -> float | None:
    """The longest wait for a byte: until the first; in a stream also from there to the first token, and between two."""
    first, token = _seconds(span.attrs.get("first_byte")), _seconds(call.attrs.get("first_token")) if stream else None
    began = first is not None or token is not None or span.attrs.get("status") is not None
    if not began and (span.failure or unfinished(span)):
        return None
    if not stream:
        return first if first is not None else took
    until_first = first if first is not None else token if token is not None else took
    return max(until_first, (token or 0.0) - until_first, _seconds(call.attrs.get("gaps_max")) or 0.0)


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def in_crew(span: Span) -> bool:
    """Whether crewai made it, with the user's own settings: in the crew, an agent, or crewai's LLM."""
    return span.step.split("@", 1)[0] in {"crew.kickoff", "agent.bisect", "llm.crewai"}


def as_the_crew(attempt: Attempt) -> bool:
    """Whether it was made with the user's own settings throughout: by crewai, or as the one call of a preflight."""
    return in_crew(attempt.span) or attempt.call.attrs.get("kind") == ONCE


def exceeded_at_most(count: int) -> float:
    """With no exceedance among `count` calls: the share of calls that may still exceed, with 95 % confidence."""
    return 1 - SIGNIFICANCE ** (1 / count) if count else 1.0


def overload(evidence: Evidence) -> str:
    """Say that this machine was overloaded, so that timings are upper bounds; empty where it was not."""
    header = evidence.recording.header
    if header.cpus and header.load > 2 * header.cpus:
        return f" This machine was overloaded (load {header.load:g} on {header.cpus} cores): less certain."
    return ""


def overlap(spans: Iterable[Span], evidence: Evidence) -> int:
    """How many of `spans` ran at once, at most."""
    edges = sorted(
        edge for span in spans for edge in ((span.start, 1), (max(evidence.end_of(span), span.start + 1e-9), -1))
    )
    running = most = 0
    for _, change in sorted(edges, key=lambda each: (each[0], each[1])):
        running += change
        most = max(most, running)
    return most


def rounded_up(seconds: float) -> int:
    """A timeout to suggest: the next 5 s."""
    return max(5, -int(-seconds // 5) * 5)


def of_n(hits: int, count: int) -> str:
    """`2 of 5 calls`."""
    return f"{hits} of {wording.plural(count, 'call')}"
