"""Samples of one model through the raw SDK, each a span, and what they add up to."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from crewdoctor.llm.answer import Answer, NoCompletionError
from crewdoctor.llm.raw import RawModel
from crewdoctor.llm.waiting import within
from crewdoctor.model.layer import Layer
from crewdoctor.model.probe import Bench
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.wire.codec import encode

AS_CONFIGURED = frozenset({"configured", "once"})
"""Kinds of calls made with the user's own timeout and retries."""
SHORT_ANSWER = 16
"""Tokens asked for in samples; `full` asks for as many as the crew does."""
TOO_MANY = 429
"""RFC 6585."""
SPENT = "insufficient_quota"
"""OpenAI's code of a 429 that is no rate limit."""
BEYOND = 1.2
"""Share of the user's timeout from which even the fastest answer would be cut off for certain. Ours."""
CAUSES = 12
NEAR = 0.8
"""Share of the user's timeout from which a latency is worth a call with that timeout. Ours."""
FIRST_SLICE, FIRST_SLICE_BEFORE_RETRIES = 0.75, 0.6
"""Share of the deadline the first call may take; less where the user's own retries would still fit behind it."""
OURS = 600.0
"""Seconds; the client's own clock never ends a sample, we do."""


def retry_after(error: BaseException | None) -> float:
    """Return the seconds a refusal asks to wait, 0 where it states none (or a date, which RFC 9110 allows as well)."""
    for _ in range(CAUSES):
        headers = _headers(error)
        stated = headers.get("retry-after") if headers is not None else None
        if stated is not None or error is None:
            break
        error = error.__cause__ or error.__context__
    else:
        return 0.0
    try:
        return max(0.0, float(stated or 0.0))
    except ValueError:
        return 0.0


def _headers(error: BaseException | None) -> Any:
    """The headers of the answer an error was made of; botocore holds them in plain dictionaries."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        return response.get("ResponseMetadata", {}).get("HTTPHeaders")
    return getattr(response, "headers", None)


@dataclass(slots=True)
class Seen:
    """What the facts are made of."""

    cold: float | None = None
    warm: list[float] = field(default_factory=list)
    first_token: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    gaps_max: list[float] = field(default_factory=list)
    status: int | None = None
    answered: bool = False
    hung: bool = False
    failed: bool = False
    rationed: bool = False
    """The provider's rate limit forbids more calls of ours."""
    calls: int = 0

    def slowest(self) -> float:
        """Longest wait for a byte."""
        return max([self.cold or 0.0, *self.warm, *self.first_token, *self.gaps_max])

    def fastest(self, *, stream: bool) -> float:
        """Shortest wait for a byte as the crew would wait for it; 0 where none was measured."""
        waits = self.first_token if stream else [*([self.cold] if self.cold is not None else ()), *self.warm]
        return min(waits, default=0.0)

    def told(self, bench: Bench) -> None:
        """Note the facts so far: they survive a kill."""
        for name in ("cold", "warm", "first_token", "total", "gaps_max", "status", "answered", "hung", "calls"):
            bench.fact(name, getattr(self, name))


class Sampling:
    """A cold call, then streamed and warm ones while there is time; last one with the user's own timeout."""

    def __init__(
        self,
        subject: str,
        bench: Bench,
        model: RawModel,
        said: list[dict[str, str]],
        *,
        simulated: bool,
        reserve: int = 0,
    ) -> None:
        self.subject, self.bench, self.model, self.said, self.simulated = subject, bench, model, said, simulated
        self.reserve = reserve
        """Requests of the provider's limit that are left to the crew."""
        self.seen = Seen()

    def run(self, most: int) -> None:
        """Make at most `most` calls, and one more with the user's own timeout where that adds knowledge."""
        bench, model, seen = self.bench, self.model, self.seen
        bench.fact("timeout", encode(model.timeout))
        bench.fact("max_retries", model.max_retries)
        interface = model.client(timeout=model.patient(OURS), max_retries=0)
        fits = self._retries_take() < bench.remaining() * (1 - FIRST_SLICE_BEFORE_RETRIES)
        share = FIRST_SLICE_BEFORE_RETRIES if fits else FIRST_SLICE
        self._call(interface, "cold", bench.remaining() * share)
        streamed = 1 if most < 5 else 2  # noqa: PLR2004 - two streams out of five calls and more
        kinds = ["streamed", *["warm"] * max(0, most - 2 - streamed), *["streamed"] * (streamed - 1), "full"]
        for kind in kinds[: most - 1]:
            likely = max(seen.slowest(), *seen.total[-1:], 0.0)
            if not seen.answered or seen.failed or seen.rationed or bench.remaining() < 1.5 * likely + 2.0:
                break
            self._call(interface, kind, bench.remaining() - 1.0)
        timeout = model.timeout
        near = isinstance(timeout, Seconds) and seen.slowest() >= NEAR * timeout.value
        if isinstance(timeout, Seconds) and seen.fastest(stream=model.stream) > BEYOND * timeout.value:
            bench.fact("cut_off", True)
        worth = (near or seen.hung or seen.failed) and not seen.rationed
        if worth and (seen.failed or self._retries_take() < bench.remaining() - 1.0):
            before = model.requests
            self._call(model.client(), "configured", bench.remaining() - 1.0)
            bench.fact("attempts", model.requests - before)
        if not seen.hung:  # what was left going shall be seen going
            model.close()

    def once(self) -> None:
        """One call as the user's own program makes it: own timeout, own retries; the attempts are counted."""
        bench, model = self.bench, self.model
        bench.fact("timeout", encode(model.timeout))
        bench.fact("max_retries", model.max_retries)
        self._call(model.client(), "once", bench.remaining() - 1.0)
        bench.fact("attempts", model.requests)
        if not self.seen.hung:
            model.close()

    def _retries_take(self) -> float:
        """Seconds the user's timeout and retries take on a silent server; openai's backoff is 0.5 s doubling to 8."""
        timeout = self.model.timeout
        if not isinstance(timeout, Seconds):
            return float("inf")
        retries = self.model.max_retries
        return timeout.value * (retries + 1) + sum(min(0.5 * 2.0**each, 8.0) for each in range(retries))

    def _call(self, interface: Any, kind: str, seconds: float) -> None:
        model, seen, answer = self.model, self.seen, Answer()
        # A model the crew streams is never asked otherwise: only then is a stream that stands still a hang of its own.
        stream = model.stream or kind in {"streamed", "full"}
        limit = model.max_tokens if kind == "full" else SHORT_ANSWER
        seen.calls += 1
        attrs: dict[str, Any] = {
            "model": model.model,
            "stream": stream,
            "layer_used": "raw",
            "simulated": self.simulated,
            "prompt_chars": sum(len(each["content"]) for each in self.said),
            "kind": kind,
            "timeout": encode(model.timeout),
            "max_retries": model.max_retries if kind in AS_CONFIGURED else 0,
        }
        until = time.monotonic() + seconds - 0.5
        before = model.requests
        with self.bench.span("llm.call", subject=self.subject, layer=Layer.LLM, **attrs) as span:
            began = time.monotonic()
            ended = within(
                seconds, lambda: model.ask(interface, self.said, answer, stream=stream, limit=limit, until=until)
            )
            took = time.monotonic() - began
            if ended is None:
                span.fail(Failure(FailureKind.DEADLINE, f"no answer within {seconds:.1f} s"))
                seen.hung = True
            elif ended.error is not None:
                failure = self._failure(ended.error)
                span.fail(failure)
                seen.failed = True
                if kind in AS_CONFIGURED and failure.kind.is_timeout:
                    self.bench.fact("cut_off", True)
            span.note(
                attempts=model.requests - before,
                first_token=answer.first_token,
                gaps_max=answer.gaps_max if answer.tokens else None,
                tokens=answer.tokens,
                status=answer.status,
                cut=answer.cut,
                retry_after=answer.headers.get("retry-after"),
                ratelimit={name: value for name, value in answer.headers.items() if name.startswith("x-ratelimit-")},
            )
        self._ration(answer, ended.error if ended is not None else None)
        self._add(kind, answer, took, ok=ended is not None and ended.error is None)

    def _ration(self, answer: Answer, error: BaseException | None) -> None:
        """Stop where the provider's limit is reached or nearly: the rest of it belongs to the crew."""
        left = answer.headers.get("x-ratelimit-remaining-requests", "")
        if getattr(error, "code", None) == SPENT:
            return  # no waiting ends it
        if answer.status == TOO_MANY:
            self.seen.rationed = True
            self.bench.fact("limited", retry_after(error))
        elif left.isdecimal() and int(left) < self.reserve:
            self.seen.rationed = True
            self.bench.fact("rationed", int(left))

    def _failure(self, error: BaseException) -> Failure:
        if isinstance(error, NoCompletionError):
            return Failure(FailureKind.PROTOCOL, str(error), type(error).__qualname__)
        return self.bench.classify(error)

    def _add(self, kind: str, answer: Answer, took: float, *, ok: bool) -> None:
        seen = self.seen
        seen.status = answer.status if answer.status is not None else seen.status
        seen.answered = seen.answered or ok
        if ok and (kind == "cold" or (kind == "once" and not answer.first_token)):
            seen.cold = took
        elif ok and kind == "warm":
            seen.warm.append(took)
        elif ok and kind in {"streamed", "full", "once"} and answer.first_token is not None:
            seen.first_token.append(answer.first_token)
            seen.gaps_max.append(answer.gaps_max)
            seen.total.append(answer.total)
        seen.told(self.bench)
