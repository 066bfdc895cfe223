"""What became of an endpoint's way through a proxy: the probe's exchange, the crew's own requests, the direct way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Quantity
from crewdoctor.model.reach import GATEWAY_ANSWERS, Reach, cost
from crewdoctor.model.span import FailureKind, Span

HEAD_UNKNOWN = 501
"""A server that speaks no HEAD: then only the crew's own requests can tell."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One endpoint through one proxy."""

    proxy: str
    """`proxy:<host>:<port>`."""
    decisions: tuple[dict[str, Any], ...]
    """Of the clients that choose this proxy."""
    exchange: Span
    """The probe's `proxy.connect`."""
    failed: bool
    unreachable: bool
    """The proxy itself took no connection."""
    refused: int
    """The status it refused with, 0 for none."""
    seconds: float
    direct: float | None
    """Seconds a direct connection took, None where it does not come about."""
    around: float | None
    """Seconds the same exchange took the direct way: the answer to HEAD, for a tunnel the connection."""
    words: str
    """`answered 502 after 0.004 s`."""
    evidence: tuple[str, ...]
    lost: float
    no_proxy: str
    tunnelled: bool
    """It was asked for a tunnel (CONNECT), and not for a page."""
    step: tuple[str, ...] = ()
    """The probe's step, as evidence; empty where a recorded program went this way, and nobody tried the direct one."""

    @property
    def recorded(self) -> bool:
        """Whether a program went it of its own."""
        return not self.step

    @property
    def denied(self) -> bool:
        """Its policy, or its want of credentials, keeps the tunnel shut; a gateway status tells of the host."""
        return self.tunnelled and self.refused // 100 == 4  # noqa: PLR2004 - 4xx

    @property
    def measured(self) -> Quantity:
        """How long its answer took."""
        return Quantity(f"answer through {self.proxy}", round(self.seconds, 6))


def passages(evidence: Evidence, way: Reach) -> tuple[Passage, ...]:
    """One per proxy some client of the endpoint chooses and the probe tried. Touches `span:proxy.connect`."""
    exchanges = {
        span.subject: span
        for span in evidence.spans("proxy.connect", probe="net.proxy")
        if span.step == way.step and way.step
    }
    result = next((each for each in evidence.results("net.proxy") if each.step.id == way.step), None)
    found = []
    for subject, exchange in exchanges.items():
        chosen = tuple(each for each in way.decisions if each.get("subject") == subject)
        if chosen and result is not None:
            found.append(_passage(evidence, way, chosen, exchange, result.facts))
    return tuple(found)


def _passage(
    evidence: Evidence, way: Reach, chosen: tuple[dict[str, Any], ...], exchange: Span, facts: dict[str, Any]
) -> Passage:
    direct: dict[str, Any] = facts.get("direct") or {}
    seconds = exchange.seconds(evidence.end_of(exchange))
    connected = "connected" in exchange.attrs
    status = int(exchange.attrs.get("status") or 0)
    tunnelled = exchange.attrs.get("method") == "CONNECT"
    refused = status if _refuses(status, direct.get("status"), tunnelled=tunnelled) else 0
    gone = (exchange.failure is not None or exchange.end is None) and not status
    spoiled = [span for span in _answers(evidence, way) if span.attrs.get("status") != direct.get("status")]
    if spoiled and not refused and status == HEAD_UNKNOWN:
        refused = int(spoiled[0].attrs["status"])
    knocks = [span for span in evidence.spans("tcp.connect") if span.failure and _of_proxy(span, exchange.subject)]
    traffic = (*way.traffic, *spoiled, *knocks)
    return Passage(
        proxy=exchange.subject,
        decisions=chosen,
        exchange=exchange,
        failed=gone or bool(refused),
        unreachable=gone and not connected,
        refused=refused,
        seconds=seconds,
        direct=direct.get("connected"),
        around=direct.get("connected" if tunnelled else "seconds"),
        words=_words(exchange, seconds, refused, status, connected=connected),
        evidence=tuple(dict.fromkeys([exchange.id, *(span.id for span in traffic)])),
        lost=cost(traffic, evidence) or seconds,
        no_proxy=str((facts.get("no_proxy") or {}).get("value", "")),
        tunnelled=tunnelled,
        step=(f"step:{way.step}",),
    )


def _refuses(status: int, direct: int | None, *, tunnelled: bool) -> bool:
    """A proxy's own no: any answer but 2xx to CONNECT; else a gateway's status the service itself does not give."""
    if tunnelled:
        return bool(status) and status // 100 != 2  # noqa: PLR2004 - 2xx opens the tunnel
    return status in GATEWAY_ANSWERS and status != direct


def _answers(evidence: Evidence, way: Reach) -> list[Span]:
    """The crew's own requests to the endpoint that got a gateway's answer."""
    return [
        span
        for span in evidence.spans("http.request")
        if not span.step.startswith("net.")
        and span.attrs.get("host") == way.endpoint.host
        and span.attrs.get("port") == way.endpoint.port
        and span.attrs.get("status") in GATEWAY_ANSWERS
    ]


def _of_proxy(span: Span, proxy: str) -> bool:
    """A connection of the crew itself to the proxy."""
    return not span.step.startswith("net.") and proxy == f"proxy:{span.attrs.get('host')}:{span.attrs.get('port')}"


def _words(exchange: Span, seconds: float, refused: int, status: int, *, connected: bool) -> str:
    if refused or status:
        return f"answered {refused or status} after {seconds:.3f} s"
    if not connected and exchange.failure is not None:
        if exchange.failure.kind is FailureKind.TCP_REFUSED:
            return f"refuses connections ({seconds * 1000:.1f} ms)"
        return f"cannot be connected to ({exchange.failure.text or exchange.failure.kind.value}, {seconds:.3f} s)"
    if exchange.failure is not None or exchange.end is None:
        return f"gave no answer within {seconds:.1f} s"
    return f"took {seconds:.3f} s"
