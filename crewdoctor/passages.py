"""What became of an endpoint's way through a proxy: as a probe tried it, or as a recorded program went it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from crewdoctor.model import proxied
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.proxied import Passage
from crewdoctor.model.reach import GATEWAY_ANSWERS, REACH_KEYS, Reach, cost, internal
from crewdoctor.model.span import FailureKind, Span
from crewdoctor.net.no_proxy import meant
from crewdoctor.surroundings import SURROUNDINGS_KEYS, surroundings

PASSAGE_KEYS = ("inventory", "span:proxy.connect", *REACH_KEYS, *SURROUNDINGS_KEYS)
"""What `passages` touches."""
_ON_THE_WAY = frozenset({"tcp.connect", "proxy.connect", "net.exchange"})
_STATUS = re.compile(r"\b([1-5]\d\d)\b")
_WANTS_PASSWORD = 407
_GOOD = 2


def passages(evidence: Evidence, way: Reach) -> tuple[Passage, ...]:
    """One per proxy some client of the endpoint chooses and that was tried."""
    no_proxy, variables = surroundings(evidence, "no_proxy"), surroundings(evidence, "proxies")
    probed = proxied.passages(evidence, way)
    if not evidence.program:
        return probed
    known = {(each.host, each.port): each.subject for each in evidence.inventory.endpoints if each.kind == "proxy"}
    held: dict[str, list[Span]] = {}
    for span in _went(evidence, way):
        if proxy := _proxy_of(evidence, span, known):
            held.setdefault(proxy, []).append(span)
    entry = meant(str(no_proxy.get("value", "")), way.endpoint.host, way.endpoint.port)
    decided: dict[str, Any] = {"no_proxy_entry": entry.entry if entry else None, "form": entry.form if entry else ""}
    decided["variable"] = variables.get(way.endpoint.scheme) or variables.get("all") or "the proxy variable"
    return tuple(
        _passage(evidence, way, proxy, requests, decided, str(no_proxy.get("value", "")))
        for proxy, requests in held.items()
    )


def _went(evidence: Evidence, way: Reach) -> list[Span]:
    """Requests to the endpoint; and what a client does before it has one: connect to a proxy, and ask for a tunnel."""
    host, port = way.endpoint.host, way.endpoint.port
    requests = {span.id: span for span in evidence.spans("http.request")}
    there = [each for each in requests.values() if (each.attrs.get("host"), each.attrs.get("port")) == (host, port)]
    tunnels = [
        each
        for each in evidence.spans("proxy.connect")
        if each.parent not in requests and each.attrs.get("target") in {f"{host}:{port}", f"[{host}]:{port}"}
    ]
    # A knock that failed came to neither; for whom it was, its owner tells.
    knocks = [
        each
        for each in evidence.spans("tcp.connect")
        if each.failure is not None and each.parent not in requests and each.subject in way.endpoint.used_by
    ]
    return [*there, *(each for each in tunnels if not _well(each)), *knocks]


def _proxy_of(evidence: Evidence, request: Span, known: dict[tuple[str, int], str]) -> str:
    """`proxy:<host>:<port>`, by what the client said, else by whom it connected to; empty for the direct way."""
    told = str(request.attrs.get("proxy") or "")
    if told and request.name == "http.request":
        return f"proxy:{told.rpartition('://')[2].rpartition('@')[2].rstrip('/')}"
    for span in _on_the_way(evidence, request):
        if span.name == "proxy.connect" and span.attrs.get("proxy"):
            return f"proxy:{span.attrs['proxy']}"
        subject = known.get((str(span.attrs.get("host")), int(span.attrs.get("port") or 0)))
        if subject:
            return subject
    return ""


def _passage(
    evidence: Evidence, way: Reach, proxy: str, requests: Sequence[Span], decided: dict[str, Any], no_proxy: str
) -> Passage:
    ours = bool(decided["no_proxy_entry"]) or internal(way.endpoint.host)
    beneath = {each.id: _on_the_way(evidence, each) for each in requests}
    refusals = {request.id: _refused(request, beneath[request.id], ours=ours) for request in requests}
    gone = {each.id for each in requests if not refusals[each.id] and _gone(each, beneath[each.id], proxy)}
    failed = [request for request in requests if refusals[request.id] or request.id in gone]
    spoken = (failed or list(requests))[0]
    tunnels = [each for each in beneath[spoken.id] if each.name == "proxy.connect"]
    tunnelled = str(spoken.attrs.get("url", "")).startswith("https:") or bool(tunnels)
    setup = [each for each in beneath[spoken.id] if each.name != "net.exchange"]
    seconds = sum(each.seconds(evidence.end_of(each)) for each in setup) or spoken.seconds(evidence.end_of(spoken))
    unreachable = spoken.id in gone and not any(_to(each, proxy) and _well(each) for each in beneath[spoken.id])
    url = f"http://{proxy.removeprefix('proxy:')}"
    if spoken.name == "http.request":
        url = str(spoken.attrs.get("proxy") or url)
    clients = dict.fromkeys(str(each.attrs["client"]) for each in requests if each.attrs.get("client"))
    clients = clients or dict.fromkeys(way.endpoint.clients or ("its client",))
    return Passage(
        proxy=proxy,
        decisions=tuple({"client": each, "proxy": url, "subject": proxy, **decided} for each in clients),
        exchange=tunnels[0] if tunnels else spoken,
        failed=len(failed) == len(requests),
        unreachable=unreachable,
        refused=refusals[spoken.id],
        seconds=seconds if spoken.id in gone else spoken.seconds(evidence.end_of(spoken)),
        direct=None,
        around=None,
        words=_words(spoken, refusals[spoken.id], seconds, unreachable=unreachable, gone=spoken.id in gone),
        evidence=tuple(dict.fromkeys(each.id for one in failed or requests for each in (one, *beneath[one.id]))),
        lost=cost(failed, evidence) or seconds,
        no_proxy=no_proxy,
        tunnelled=tunnelled,
    )


def _on_the_way(evidence: Evidence, request: Span) -> list[Span]:
    found = [each for each in evidence.children(request) if each.name in _ON_THE_WAY]
    return found if request.name == "http.request" else [request, *found]


def _refused(request: Span, beneath: Sequence[Span], *, ours: bool) -> int:
    """The status it refused with, 0 for none.

    What it says to CONNECT is its own word. Of a plain request its answer may be the service's: 407 alone never is; a
    gateway's status of a host that should not have gone there is taken for the proxy's.
    """
    for span in beneath:
        status = span.attrs.get("status")
        if span.name == "proxy.connect" and isinstance(status, int) and status // 100 != _GOOD:
            return status
    told = [each.failure for each in (*beneath, request) if each.failure is not None]
    for failure in told:
        found = _STATUS.search(failure.text) if failure.kind is FailureKind.PROXY_REFUSED else None
        if found:
            return int(found[1])
    status = request.attrs.get("status")
    if not isinstance(status, int) or str(request.attrs.get("url", "")).startswith("https:"):
        return 0
    return status if status == _WANTS_PASSWORD or (ours and status in GATEWAY_ANSWERS) else 0


def _gone(request: Span, beneath: Sequence[Span], proxy: str) -> bool:
    """Whether it came to nothing before the proxy had let it through: no connection to it, or no answer to CONNECT."""
    if request.end is not None and request.failure is None:
        return False
    knocks = [each for each in beneath if each.name == "tcp.connect" and _to(each, proxy)]
    if knocks and not any(_well(each) for each in knocks):
        return True
    return any(each.name == "proxy.connect" and not _well(each) for each in beneath)


def _to(span: Span, proxy: str) -> bool:
    return proxy == f"proxy:{span.attrs.get('host')}:{span.attrs.get('port')}"


def _well(span: Span) -> bool:
    return span.end is not None and span.failure is None


def _words(spoken: Span, refused: int, seconds: float, *, unreachable: bool, gone: bool) -> str:
    if refused:
        return f"answered {refused} after {spoken.seconds():.3f} s"
    if unreachable and spoken.failure is not None and spoken.failure.kind is FailureKind.TCP_REFUSED:
        return f"refuses connections ({seconds * 1000:.1f} ms)"
    if unreachable:
        said = spoken.failure.kind.value if spoken.failure else "still trying"
        return f"cannot be connected to ({said}, {seconds:.3f} s)"
    return f"gave no answer within {seconds:.1f} s" if gone else f"took {seconds:.3f} s"
