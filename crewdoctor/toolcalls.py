"""Calls of one tool as rules read them: alone, under load, in the crew; what failed, and whose fault it can be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from crewdoctor.budget import OWN_WAITS, WAITERS, scan_of
from crewdoctor.calls import NOT_ITS_FAULT
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.inventory import ToolEntry
from crewdoctor.model.setting import Location
from crewdoctor.model.span import Failure, FailureKind, Span
from crewdoctor.remedies import of_file, written_await, written_call
from crewdoctor.waits import WIRE, unfinished

ALONE = "tool.isolated"
TOOL_KEYS = ("span:tool.call", "span:http.request", "span:net.exchange", "span:tcp.connect", "inventory")
"""What reading `ToolCalls` touches."""
_INVENTED = frozenset({"synthesised", "schema"})
_TRANSPORT = ("tcp.", "tls.", "timeout.", "proxy.", "dns.")
_BAD_GATEWAY = frozenset({502, 503, 504})
"""Statuses no argument of ours can provoke."""
_SERVER_ERROR = 500
OF_ARGUMENTS = frozenset(
    {
        *(FailureKind.EXCEPTION, FailureKind.UNKNOWN, FailureKind.BAD_ARGUMENT, FailureKind.PROCESS_EXITED),
        *(FailureKind.HTTP_CLIENT_ERROR, FailureKind.HTTP_NOT_FOUND),
    }
)
"""What the arguments a model chose may cause: a program's tool was never called with others."""
_NO_NETWORK = WAITERS | {"sqlite3"}
_OF_WAITS = {"process": "subprocess"}
_PLACES = ("url", "uri", "host", "domain", "link", "site", "address", "endpoint", "server", "page")


@dataclass(slots=True)
class ToolCalls:
    """All calls of one tool, in order of start."""

    tool: ToolEntry
    alone: list[Span] = field(default_factory=list)
    loaded: list[Span] = field(default_factory=list)
    """Of the probe, several at once (attr `n`)."""
    crew: list[Span] = field(default_factory=list)

    @property
    def every(self) -> list[Span]:
        """All of them."""
        return sorted((*self.alone, *self.loaded, *self.crew), key=lambda span: span.start)


def served(spans: Iterable[Span]) -> bool:
    """Whether there were calls and every one was answered: a limit that is missing then is exposure, no more."""
    made = [span for span in spans if not blocked_by_us(span)]
    return bool(made) and all(
        not unfinished(span) and span.failure is None and not span.attrs.get("error_text") for span in made
    )


def tool_calls(evidence: Evidence) -> list[ToolCalls]:
    """One entry per tool of the inventory."""
    evidence.touched.update(TOOL_KEYS)
    held = {tool.subject: ToolCalls(tool) for tool in evidence.inventory.tools}
    for span in evidence.spans("tool.call"):
        calls = held.get(span.subject)
        if calls is None:
            continue
        if span.step.split("@", 1)[0] != ALONE:
            calls.crew.append(span)
        elif int(span.attrs.get("n") or 1) > 1:
            calls.loaded.append(span)
        else:
            calls.alone.append(span)
    return list(held.values())


def wires(evidence: Evidence, span: Span, *names: str) -> list[Span]:
    """Spans of the wire beneath a tool call, of the given names (all of them where none is given)."""
    wanted = names or WIRE
    return [each for each in evidence.children(span) if each.name in wanted]


def failure_of(evidence: Evidence, span: Span) -> Failure | None:
    """Why a tool call failed, failures it returned as text included; None: it did not, or we ended it."""
    if unfinished(span):
        return None
    if span.failure is not None:
        return None if span.failure.kind in NOT_ITS_FAULT else _deepest(evidence, span) or span.failure
    if span.attrs.get("error_text"):
        told = _deepest(evidence, span)
        return None if told is not None and told.kind in NOT_ITS_FAULT else told
    requests = wires(evidence, span, "http.request")
    status = requests[-1].attrs.get("status") if requests else None
    if isinstance(status, int) and status >= _SERVER_ERROR:
        return Failure(FailureKind.HTTP_SERVER_ERROR, f"answered {status}")
    return _hidden(evidence, span)


def still_failing(evidence: Evidence, span: Span) -> tuple[Failure, int] | None:
    """Of a call we ended while it tried again: why its attempts failed so far, and how many; None: one was answered."""
    ended = [each for each in wires(evidence, span, "http.request") if each.end is not None and not unfinished(each)]
    failure = _hidden(evidence, span) if unfinished(span) else None
    return (failure, len(ended)) if failure is not None and len(ended) > 1 else None


def _hidden(evidence: Evidence, span: Span) -> Failure | None:
    """The transport's failure which a call kept to itself: nothing it asked for was answered.

    Only of tools whose own source asks the network: a library's side trip that fails is no failure of the tool.
    """
    failure = _deepest(evidence, span)
    asks = any(entry.client not in _NO_NETWORK and span.subject in entry.subjects for entry in evidence.inventory.scan)
    return failure if asks and failure is not None and failure.kind.value.startswith(_TRANSPORT) else None


def blocked_by_us(span: Span) -> bool:
    """Whether the write guard stopped it: nothing is known of the tool then."""
    stopped = span.failure is not None and span.failure.kind is FailureKind.BLOCKED_WOULD_WRITE
    return stopped or bool(span.attrs.get("blocked"))


def accuses(evidence: Evidence, tool: ToolEntry, span: Span, failure: Failure) -> bool:
    """Whether a failure says something about the tool, and not only about arguments we invented for it.

    With invented arguments (a schema's own defaults included, and a simulated model's) only what no argument can cause
    counts: the transport to a host the tool itself names, a bad gateway, a missing package, a refused key.
    """
    source = str(span.attrs.get("args_source", ""))
    invented = source in _INVENTED or (source == "model" and bool(evidence.simulated))
    if not invented:
        return failure.kind is not FailureKind.BAD_ARGUMENT or source == "given"
    if failure.kind in {FailureKind.MISSING_PACKAGE, FailureKind.HTTP_UNAUTHORIZED}:
        return True
    if failure.kind is FailureKind.HTTP_SERVER_ERROR:
        return any(each.attrs.get("status") in _BAD_GATEWAY for each in wires(evidence, span, "http.request"))
    if failure.kind.value.startswith(_TRANSPORT):
        return not _takes_a_place(tool) or bool(set(hosts(evidence, span)) & _named(evidence, tool))
    return False


def hosts(evidence: Evidence, span: Span) -> tuple[str, ...]:
    """`host:port` of everything a call talked to, last first."""
    found = [
        f"{each.attrs['host']}:{each.attrs['port']}"
        for each in reversed(wires(evidence, span))
        if each.attrs.get("host") and each.attrs.get("port")
    ]
    return tuple(dict.fromkeys(found))


def depends_on(evidence: Evidence, span: Span) -> tuple[str, ...]:
    """Subjects a call depends on, by what it talked to: hosts, and proxies on the way."""
    proxies = [str(each.attrs["proxy"]) for each in wires(evidence, span) if each.attrs.get("proxy")]
    named = (f"host:{host}" for host in hosts(evidence, span))
    on_the_way = (f"proxy:{proxy.rsplit('/', 1)[-1].rsplit('@', 1)[-1]}" for proxy in proxies)
    return tuple(dict.fromkeys((*named, *on_the_way, *(f"proxy:{host}" for host in hosts(evidence, span)))))


def queued(evidence: Evidence, request: Span) -> float:
    """Seconds a request waited before anything was sent or connected for it: in line for a connection of its client."""
    begun = [each.start for each in wires(evidence, request) if each.parent == request.id]
    if begun:
        return max(0.0, min(begun) - request.start)
    ran_out = request.failure is not None and request.failure.kind is FailureKind.TIMEOUT_POOL
    return request.seconds() if ran_out else 0.0


def on_the_wire(evidence: Evidence, span: Span) -> float | None:
    """Seconds in which a call was really asking its services, queues of its own left out; None: no request was seen."""
    asked = wires(evidence, span, "http.request")
    spent = [each.seconds(evidence.end_of(each)) - queued(evidence, each) for each in asked]
    return sum(spent) if spent else None


def answered_as_alone(evidence: Evidence, calls: ToolCalls, ratio: float, floor: float) -> bool:
    """Whether under load the services answered as fast as alone: the tool stood in a line of its own."""
    alone = [spent for span in calls.alone if (spent := on_the_wire(evidence, span)) is not None]
    loaded = [spent for span in calls.loaded if (spent := on_the_wire(evidence, span)) is not None]
    return bool(alone and loaded) and median(loaded) < max(ratio * max(alone), max(alone) + floor)


def waiting_call(evidence: Evidence, span: Span, waiting: str, location: Location | None) -> tuple[str, str]:
    """The library that waits, as seen on the wire, else as written in the source; and the call, as written."""
    entries = scan_of(evidence.recording, span.subject)
    place = (location.file, location.line) if location else None
    here = [entry for entry in entries if (entry.location.file, entry.location.line) == place]
    if waiting in {"file", "gil"}:
        return (of_file(location.source) if location and waiting == "file" else waiting), ""
    if waiting in OWN_WAITS and location and (awaited := written_await(location.source)):
        return "asyncio", awaited
    if waiting in OWN_WAITS:
        own = [entry for entry in here or entries if entry.client in OWN_WAITS[waiting]]
        return (own[0].client, own[0].call) if own else (_OF_WAITS.get(waiting, waiting), "")
    open_ones = [each for each in evidence.children(span, "http.request") if unfinished(each)]
    client = next((str(each.attrs["client"]) for each in open_ones if each.attrs.get("client")), "")
    call = here[0].call if here else written_call(location.source if location else "")
    return client or next((entry.client for entry in here or entries), "socket" if waiting != "dns" else ""), call


def _takes_a_place(tool: ToolEntry) -> bool:
    """Whether an argument may say whom to contact: then the host may be our invention as well."""
    names = tool.schema.get("properties", {}) if isinstance(tool.schema.get("properties"), dict) else {}
    return not tool.schema or any(word in name.lower() for name in names for word in _PLACES)


def _named(evidence: Evidence, tool: ToolEntry) -> set[str]:
    return {
        f"{endpoint.host}:{endpoint.port}"
        for endpoint in evidence.inventory.endpoints
        if endpoint.subject in tool.endpoints or tool.subject in endpoint.used_by
    }


def _deepest(evidence: Evidence, span: Span) -> Failure | None:
    """The failure on the wire that made it fail: of the last request, where none of them succeeded."""
    beneath = wires(evidence, span)
    failed = [each for each in beneath if each.failure is not None and not unfinished(each)]
    requests = [each for each in beneath if each.name == "http.request"]
    answered = [
        each
        for each in requests or [each for each in beneath if each.name == "net.exchange"]
        if each.failure is None and each.end is not None and int(each.attrs.get("status") or 0) < _SERVER_ERROR
    ]
    if not failed or answered:
        return span.failure
    return max(failed, key=lambda each: (each.start, WIRE.index(each.name))).failure
