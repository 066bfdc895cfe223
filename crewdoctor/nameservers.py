"""Nameservers that made lookups wait: asked directly by a probe, or waited for by a recorded program. Pure.

A recorded program asks nobody for its own sake; there the kernel says whom a lookup was waiting for (`nameserver` of a
stack), for a second at least.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.reach import REACH_KEYS, reaches
from crewdoctor.model.span import FailureKind, Span
from crewdoctor.surroundings import SURROUNDINGS_KEYS, surroundings

SLOW = 1.0
"""Seconds (ours): a recursive answer from across the world takes a third of it."""
SILENT = {FailureKind.DNS_TIMEOUT, FailureKind.TCP_REFUSED, FailureKind.TCP_UNREACHABLE, FailureKind.TIMEOUT_READ}
NAMESERVER_KEYS = (
    *("span:dns.query", "result:net.dns"),
    *("inventory", "span:dns.lookup", "stacks", *SURROUNDINGS_KEYS, *REACH_KEYS),
)
"""What `late_nameservers` and `resolver_facts` touch."""


@dataclass(frozen=True, slots=True)
class Late:
    """One nameserver that lookups waited for."""

    nameserver: str
    hurt: tuple[Span, ...]
    """Lookups of hosts the crew needs that waited or failed."""
    mute: bool
    """It left questions unanswered, and did not just take its time."""
    said: str
    """What it did, in words."""
    compared: str
    """What another one did, in words; empty where nobody knows."""
    answering: str
    """Address of one that answers; empty where nobody knows."""
    of_ipv6_alone: bool
    """All it left unanswered were questions for AAAA."""
    evidence: tuple[Span, ...]
    replaced: bool
    """Nobody would have made these lookups: their model was played."""


def resolver_facts(evidence: Evidence) -> dict[str, Any]:
    """What resolv.conf said (`path nameservers timeout lines` ...); empty where nobody read it."""
    own = surroundings(evidence, "resolver")
    told = (each.facts.get("resolver") for each in evidence.results("net.dns"))
    return next((each for each in told if isinstance(each, dict)), own)


def late_nameservers(evidence: Evidence, allowed: float) -> Iterator[Late]:
    """One per nameserver. `allowed`: seconds the resolver gives each."""
    yield from _asked(evidence, allowed)
    yield from _waited_for(evidence, allowed)


def _asked(evidence: Evidence, allowed: float) -> Iterator[Late]:
    needed = {each.endpoint.host: each for each in reaches(evidence)}
    asked = evidence.spans("dns.lookup", probe="net.dns")
    lookups = [span for span in asked if span.attrs.get("host") in needed and "sample" in span.attrs]
    queries = evidence.spans("dns.query", probe="net.dns")
    for nameserver in dict.fromkeys(str(span.attrs.get("nameserver")) for span in queries):
        mine = [span for span in queries if span.attrs.get("nameserver") == nameserver]
        late = [span for span in mine if _silent(span) or span.seconds(evidence.end_of(span)) > SLOW]
        hurt = [span for span in lookups if _hurt(span, late, min(allowed, SLOW), evidence)]
        if not late or not hurt:
            continue
        healthy = [
            span
            for span in queries
            if span not in late and span.attrs.get("rcode") and span.attrs.get("nameserver") != nameserver
        ]
        fastest = min(healthy, key=lambda span: span.seconds(), default=None)
        mute = [span for span in mine if _silent(span)]
        yield Late(
            nameserver,
            tuple(hurt),
            bool(mute),
            f"left {len(mute)} of {len(mine)} questions unanswered for {max(each.seconds() for each in mute):.1f} s"
            if mute
            else f"took {max(span.seconds() for span in late):.2f} s to answer",
            f"; nameserver {fastest.attrs['nameserver']} answered in {fastest.seconds():.3f} s" if fastest else "",
            str(fastest.attrs["nameserver"]) if fastest else "",
            {span.attrs.get("rdtype") for span in mute} == {"AAAA"},
            (*late, *hurt, *_same_hosts(evidence, hurt)),
            all(needed[str(span.attrs["host"])].replaced for span in hurt),
        )


def _waited_for(evidence: Evidence, allowed: float) -> Iterator[Late]:
    lookups = {span.id: span for span in evidence.spans("dns.lookup")}
    held: dict[str, dict[str, Span]] = {}
    for stack in evidence.stacks():
        nameserver, lookup = stack.attrs.get("nameserver"), lookups.get(stack.span or "")
        if evidence.program and isinstance(nameserver, str) and nameserver and lookup is not None:
            held.setdefault(nameserver, {})[lookup.id] = lookup
    listed = [str(each) for each in resolver_facts(evidence).get("nameservers", ())]
    for nameserver, waiting in held.items():
        hurt = tuple(waiting.values())
        longest = max(span.seconds(evidence.end_of(span)) for span in hurt)
        mute = longest >= allowed or any(_unanswered(span) for span in hurt)
        silent = mute or any(span.end is None for span in hurt)
        others = [each for each in listed if each != nameserver and each not in held]
        answered = any(span.end is not None and span.failure is None for span in hurt)
        yield Late(
            nameserver,
            hurt,
            mute,
            f"was waited for and said nothing for {min(longest, allowed):.1f} s" if silent else "was slow to answer",
            "",
            others[0] if len(others) == 1 and mute and answered else "",
            of_ipv6_alone=False,
            evidence=hurt,
            replaced=False,
        )


def _silent(span: Span) -> bool:
    return span.end is None or (span.failure is not None and span.failure.kind in SILENT)


def _unanswered(lookup: Span) -> bool:
    return lookup.failure is not None and lookup.failure.kind is not FailureKind.DNS_NOT_FOUND


def _hurt(lookup: Span, late: Sequence[Span], allowed: float, evidence: Evidence) -> bool:
    """A lookup that failed without any answer, or waited, while this nameserver was late for one of its names."""
    host = str(lookup.attrs.get("host")).lower().rstrip(".")
    about = [span for span in late if str(span.attrs.get("name", "")).lower().startswith(f"{host}.")]
    return bool(about) and (_unanswered(lookup) or lookup.seconds(evidence.end_of(lookup)) >= allowed)


def _same_hosts(evidence: Evidence, hurt: Sequence[Span]) -> list[Span]:
    """The crew's own lookups of these hosts: what this nameserver explains lies around them."""
    hosts = {span.attrs["host"] for span in hurt}
    return [
        span
        for span in evidence.spans("dns.lookup")
        if not span.step.startswith("net.")
        and span.attrs.get("host") in hosts
        and span.seconds(evidence.end_of(span)) >= SLOW
    ]
