"""What the stall test showed of each tool and phase. Pure.

Our server was silent, not the crew's: only how the tool met that is told, and what would have ended its wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.phase import Phase
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Location, Seconds
from crewdoctor.model.span import Span
from crewdoctor.model.stall import Outcome, Stall
from crewdoctor.waits import NETWORK, WIRE, Wait, blocked, unfinished

PROBE = "tool.stall"
STALL_KEYS = (f"result:{PROBE}", "experiments")
"""What reading stalls touches."""
RESOLVER, KERNEL = "the system's resolver", "the kernel"
IN_WORDS = {
    Phase.LOOKUP: "when its name was asked for",
    Phase.CONNECT: "before it was connected",
    Phase.TLS: "in the TLS handshake",
    Phase.REQUEST: "after the request",
    Phase.BODY: "in the middle of the answer",
}
_WAITS_FOR_IT = "MainThread"
_GRACE = 2.0
"""Seconds a limit may be late."""
_LONGEST = 160


def stalls(evidence: Evidence, subject: str | None = None) -> tuple[Stall, ...]:
    """One per tool and phase, in order of planning; of one tool."""
    results = evidence.results(PROBE, subject=subject)
    spans = {span.step: span for span in evidence.experiments(PROBE, subject=subject)}
    kept = evidence.recording.experiments
    # The tool has a thread of its own; the first one only waits for it.
    looks = tuple(each for each in kept.stacks if each.thread != _WAITS_FOR_IT)
    inside = Evidence(replace(evidence.recording, spans=kept.spans, events=kept.events, stacks=looks))
    ordered = sorted(results, key=lambda each: (each.step.subject, list(Phase).index(_phase(each))))
    return tuple(_stall(inside, result, spans.get(result.step.id)) for result in ordered)


def ends(tried: tuple[Stall, ...], place: Location | None) -> bool:
    """Whether a call (at `place`, where it is known) was seen to end, or to be bounded, once its request was out."""
    ended = {Outcome.GAVE_UP, Outcome.LIMITED}
    asked = [each for each in tried if each.phase in {Phase.REQUEST, Phase.BODY} and each.outcome in ended]
    return bool(asked) and (place is None or any(same_line(each.location, place) for each in asked))


def same_line(one: Location | None, other: Location | None) -> bool:
    """Whether both are the same line of the same file."""
    return one is not None and other is not None and (one.file, one.line) == (other.file, other.line)


def _phase(result: StepResult) -> Phase:
    return Phase(str(result.step.args.get("phase")))


def _stall(inside: Evidence, result: StepResult, span: Span | None) -> Stall:
    stall = Stall(result.step.subject, _phase(result), Outcome.UNKNOWN)
    facts = result.facts
    if span is None or result.status not in {Status.OK, Status.KILLED}:
        return replace(stall, reason=result.reason or "it did not come to its call")
    if outside := facts.get("outside"):
        return replace(stall, reason=f"{outside} would have gone past the experiment", evidence=(span.id,))
    if facts.get("blocked"):
        what = ", ".join(str(each) for each in facts.get("blocked_what") or ())
        return replace(stall, reason=f"its arguments are invented and it would {what}: stopped", evidence=(span.id,))
    heard = facts.get("heard") or {}
    wires = [each for each in inside.children(span) if each.name in WIRE]
    met = dict(_met(heard, wires))
    stall = replace(
        stall,
        host=_host(facts, wires),
        seconds=span.seconds(result.end),
        requests=int(heard.get("request", 0)),
        connections=max(int(heard.get("accepted", 0)), sum(each.name == "tcp.connect" for each in wires)),
        evidence=(span.id,),
    )
    if stall.phase in {Phase.REQUEST, Phase.BODY} and heard.get("hello", 0) > heard.get("secured", 0) == 0:
        return replace(stall, reason="it does not take the certificate of an experiment", seen=_seen(span))
    if not unfinished(span):
        if not any(met.values()):
            if span.failure is not None or span.attrs.get("error_text"):
                return replace(stall, reason=f"it failed before it asked anybody: {_seen(span)}", seen=_seen(span))
            return replace(stall, outcome=Outcome.NO_NETWORK, seen=_seen(span))
        outcome = Outcome.GAVE_UP if met[stall.phase] else Outcome.NOT_MET
        return replace(stall, outcome=outcome, seen=_seen(span), location=_line(inside, span))
    if any(met.values()) and not met[stall.phase]:
        return replace(stall, outcome=Outcome.NOT_MET)
    wait = blocked(inside, span)
    return _waiting(replace(stall, location=wait.location or _line(inside, span)), wait, facts)


def _met(heard: dict[str, int], wires: list[Span]) -> Iterator[tuple[Phase, bool]]:
    """Which phases its calls went through, by what the server heard and what left the client."""
    names = {each.name for each in wires}
    accepted, asked = bool(heard.get("accepted")), bool(heard.get("request"))
    yield Phase.LOOKUP, not accepted and (bool(heard.get("lookup")) or "dns.lookup" in names)
    yield Phase.CONNECT, accepted or bool(heard.get("lookup")) or "tcp.connect" in names
    yield Phase.TLS, bool(heard.get("hello"))
    yield Phase.REQUEST, accepted
    yield Phase.BODY, asked


def _host(facts: dict[str, object], wires: list[Span]) -> str:
    named = next((each for each in wires if each.attrs.get("host")), None)
    if named is not None:
        port = next((each.attrs["port"] for each in wires if each.attrs.get("port")), None)
        return f"{named.attrs['host']}:{port}" if port else str(named.attrs["host"])
    hosts = facts.get("hosts")
    return ", ".join(str(each) for each in hosts) if isinstance(hosts, list) else ""


def _waiting(stall: Stall, wait: Wait, facts: dict[str, object]) -> Stall:
    """It was still waiting when it was watched no longer: what would have ended that."""
    stall = replace(stall, evidence=wait.ids, host=wait.host or stall.host)
    limit = wait.timeout if wait.waiting != "dns" or wait.limited_by else UNKNOWN
    if isinstance(limit, Seconds) and limit.value + _GRACE < wait.silent:
        return replace(stall, limit=limit, reason=f"its limit of {limit.value:g} s did not end it")
    if isinstance(limit, Seconds):
        return replace(stall, outcome=Outcome.LIMITED, limit=limit, limited_by=wait.limited_by)
    system = {"dns": (RESOLVER, "resolver_seconds"), "connect": (KERNEL, "kernel_seconds")}.get(wait.waiting)
    if system is not None and isinstance(seconds := facts.get(system[1]), (int, float)):
        return replace(stall, outcome=Outcome.LIMITED, limit=Seconds(float(seconds)), limited_by=system[0])
    if wait.timeout is UNLIMITED and wait.waiting in NETWORK:
        return replace(stall, outcome=Outcome.FOR_EVER, limit=UNLIMITED)
    return replace(stall, reason=f"it was in {wait.text}, and what would end that is not known")


def _line(inside: Evidence, span: Span) -> Location | None:
    looks = [each for each in inside.stacks(step=span.step) if each.user_frame is not None]
    return looks[-1].user_frame if looks else None


def _seen(span: Span) -> str:
    """What the crew gets: crewAI hands an exception's text to the model."""
    failure = span.failure
    if failure is not None:
        return f"{failure.exception}: {failure.text}".strip(": ")[:_LONGEST]
    if told := span.attrs.get("error_text"):
        return str(told)[:_LONGEST]
    return f"an answer of {span.attrs.get('output_chars', 0)} characters"
