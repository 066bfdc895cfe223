"""What a recording says about the way to each endpoint: who needs it, how they go, whether real traffic got there."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Quantity, Severity
from crewdoctor.model.inventory import Endpoint, Inventory
from crewdoctor.model.options import Options
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Bound, Seconds
from crewdoctor.model.span import Span

REACH_KEYS = (
    "result:net.proxy",
    "span:http.request",
    "span:tcp.connect",
    "span:tool.call",
)
"""What `reaches` touches besides the inventory; its callers declare them under `uses`."""
LIMIT_KEYS = ("setting:llm.timeout.connect", "setting:tool.timeout.connect", "setting:tool.timeout")
"""What `connect_limit` touches besides the inventory."""
BYSTANDERS = frozenset({"telemetry", "proxy"})
"""Kinds of endpoints the crew's own work does not wait for directly."""
GATEWAY_ANSWERS = frozenset({403, 407, 502, 503, 504})
"""Statuses a proxy gives in its own name: no proof that the service behind it was reached."""
INTERNAL_SUFFIXES = (".svc", ".local", ".internal", ".lan", ".intranet", ".home.arpa", ".localhost", ".corp")


@dataclass(frozen=True, slots=True)
class Reach:
    """One endpoint the crew needs."""

    endpoint: Endpoint
    decisions: tuple[dict[str, Any], ...]
    """`decisions` of its net.proxy step: one per client library."""
    step: str
    """Id of that step, empty when there was none."""
    traffic: tuple[Span, ...]
    """Requests and connections of the crew itself towards it, failed ones only."""
    worked: bool
    """Real traffic got there: beats whatever a probe saw."""
    replaced: bool
    """It is the endpoint of models the embedded endpoint stands in for, and nobody would call it: for want of a key, or
    because the user said so. A model that has its key and is played for another one's want of it is not one of them."""

    @property
    def direct(self) -> bool:
        """Whether some client connects without a proxy, or nobody could say. One that cannot start connects nowhere."""
        return not self.decisions or any(not each["proxy"] and not each.get("missing") for each in self.decisions)

    @property
    def severity(self) -> Severity:
        """What a dead endpoint of this kind is."""
        if self.replaced:
            return Severity.INFO
        return Severity.WARNING if self.endpoint.kind == "memory" else Severity.ERROR

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{self.endpoint.host}:{self.endpoint.port}"


def not_needed(endpoint: Endpoint, inventory: Inventory, options: Options) -> str:
    """Why an endpoint is left alone: a model that is not called, for want of a key; else an empty string."""
    if endpoint.kind != "llm" or options.llm != "embedded":
        return ""
    users = [llm for llm in inventory.llms if llm.endpoint == endpoint.subject]
    keyless = bool(users) and all(llm.usable_key is False for llm in users)
    return "no usable key: the embedded model stands in for it" if keyless else ""


def clients_of(endpoint: Endpoint, inventory: Inventory) -> list[str]:
    """Client libraries that go there, as `net.clients` knows them. Nobody asks a proxy for the way to the proxy.

    With an `interceptor` crewai gives the SDK an httpx.Client with its own transport: it reads no proxy variables.
    """
    if endpoint.kind == "proxy":
        return []
    users = [llm for llm in inventory.llms if llm.endpoint == endpoint.subject]
    if users and all(llm.attrs.get("interceptor") for llm in users):
        return ["httpx with an interceptor"]
    return list(endpoint.clients) or ["httpx" if endpoint.kind == "llm" else "urllib"]


def reaches(evidence: Evidence) -> tuple[Reach, ...]:
    """Every endpoint the crew needs, in the inventory's order."""
    asked = {result.step.subject: result for result in evidence.results("net.proxy")}
    requests = [span for span in evidence.spans("http.request") if not span.step.startswith("net.")]
    connects = [span for span in evidence.spans("tcp.connect") if not span.step.startswith("net.")]
    calls = evidence.spans("tool.call")
    found = []
    for endpoint in evidence.inventory.endpoints:
        if endpoint.kind in BYSTANDERS or not endpoint.used_by:
            continue
        there = [span for span in requests if _towards(span, endpoint)]
        failed = tuple(
            span for span in (*there, *(each for each in connects if _towards(each, endpoint))) if span.failure
        )
        answered = any(span.failure is None and _by_the_service(span.attrs.get("status")) for span in there)
        called = [span for span in calls if span.subject in endpoint.used_by and not span.attrs.get("guarded")]
        well = bool(called) and all(
            span.end is not None and span.failure is None and not span.attrs.get("error_text") for span in called
        )
        result = asked.get(endpoint.subject)
        found.append(
            Reach(
                endpoint=endpoint,
                decisions=tuple(result.facts.get("decisions", ())) if result else (),
                step=result.step.id if result else "",
                traffic=failed,
                worked=answered or (well and not failed),
                replaced=endpoint.kind == "llm" and bool(evidence.simulated) and _simulated(evidence, endpoint),
            )
        )
    return tuple(found)


def attempts_at(evidence: Evidence, endpoint: Endpoint, name: str, probe: str) -> list[Span]:
    """Operations of the wire a probe made at an endpoint; of a program that recorded itself, its own."""
    if not evidence.program:
        probed = [span for span in evidence.spans(name, probe=probe) if "sample" in span.attrs]
        if name == "dns.lookup":  # one for all ports of a host
            return [span for span in probed if span.attrs.get("host") == endpoint.host]
        return [span for span in probed if span.subject == endpoint.subject]
    # Through a proxy's tunnel a handshake is the endpoint's, and its port the proxy's: the request above it tells.
    asked = {span.id for span in evidence.spans("http.request") if _towards(span, endpoint)} if "tls" in name else set()
    return [
        span
        for span in evidence.spans(name)
        if span.attrs.get("host") == endpoint.host
        and ((span.attrs.get("port") or endpoint.port) == endpoint.port or span.parent in asked)
    ]


def cost(spans: Iterable[Span], evidence: Evidence) -> float:
    """Seconds the crew lost to these spans: those of its full run where there are some, else the longest one."""
    held = list(spans)
    requests = [span for span in held if span.name == "http.request"] or held
    whole = [span.seconds(evidence.end_of(span)) for span in requests if span.step.startswith("crew.")]
    return sum(whole) or max((span.seconds(evidence.end_of(span)) for span in requests), default=0.0)


def connect_limit(evidence: Evidence, endpoint: Endpoint) -> Quantity:
    """The tightest connect timeout among those who use the endpoint; UNKNOWN where nobody's could be read."""
    settings = [
        setting
        for scope, name in (("llm", "timeout.connect"), ("tool", "timeout.connect"), ("tool", "timeout"))
        for setting in evidence.settings(scope, name)
        if setting.subject in endpoint.used_by and isinstance(setting.value, (Seconds, Bound))
    ]
    known = [each for each in settings if each.value is not UNKNOWN]
    if not known:
        return _written_limit(evidence, endpoint)
    tightest = min(known, key=lambda each: each.value.value if isinstance(each.value, Seconds) else float("inf"))
    return Quantity(tightest.name, tightest.value, where=tightest.provenance.where)


def _written_limit(evidence: Evidence, endpoint: Endpoint) -> Quantity:
    """The timeout of the call the source makes, where no live object told."""
    for entry in evidence.inventory.scan:
        if entry.client in endpoint.clients and set(entry.subjects) & set(endpoint.used_by):
            held = entry.timeout.get("timeout") if isinstance(entry.timeout, dict) else None
            if isinstance(held, (int, float)):
                return Quantity(f"timeout of {entry.call}", Seconds(float(held)), where=str(entry.location))
            if held == UNLIMITED.value:
                return Quantity(f"timeout of {entry.call}", UNLIMITED, where=str(entry.location))
    return Quantity("connect timeout of its clients", UNKNOWN)


def internal(host: str) -> bool:
    """Whether a host is one an outside proxy cannot know: a private address, a bare name, a local suffix."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        name = host.lower().rstrip(".")
        return "." not in name or name.endswith(INTERNAL_SUFFIXES) or ".svc." in name
    return address.is_private or address.is_loopback or address.is_link_local


def _by_the_service(status: object) -> bool:
    return isinstance(status, int) and status not in GATEWAY_ANSWERS


def _towards(span: Span, endpoint: Endpoint) -> bool:
    return span.attrs.get("host") == endpoint.host and span.attrs.get("port") == endpoint.port


def _simulated(evidence: Evidence, endpoint: Endpoint) -> bool:
    users = [llm for llm in evidence.inventory.llms if llm.endpoint == endpoint.subject]
    chosen = evidence.recording.header.options.llm == "embedded" or all(llm.usable_key is False for llm in users)
    return bool(users) and chosen and {llm.subject for llm in users} <= evidence.simulated
