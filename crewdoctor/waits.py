"""What an operation that did not end was waiting for: peer, phase, user line, the timeout in force there."""

from __future__ import annotations

from dataclasses import dataclass

from crewdoctor.budget import wire_timeout
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.setting import UNKNOWN, Location, Seconds, Timeout
from crewdoctor.model.span import FailureKind, Span, Stack
from crewdoctor.wording import plural

WIRE = (
    "http.request",
    "proxy.connect",
    "dns.lookup",
    "tcp.connect",
    "tls.handshake",
    "net.exchange",
)
"""Spans of the wire, outermost first: the last of those still open is where it waits."""
WAIT_KEYS = (*(f"span:{name}" for name in WIRE), "stacks")
"""Evidence `blocked` touches; rules that call it declare these under `uses`."""

_DOING = {
    "net.exchange": "recv",
    "http.request": "recv",
    "tcp.connect": "connect",
    "tls.handshake": "tls",
    "dns.lookup": "dns",
    "proxy.connect": "connect",
}
_IN_WORDS = {
    "recv": "recv from {}",
    "connect": "connect to {}",
    "tls": "TLS handshake with {}",
    "dns": "name lookup of {}",
    "send": "send to {}",
}
NETWORK = frozenset(_IN_WORDS)
"""Ways of waiting for somebody on the network."""
OWN_BOUND = frozenset({"cpu", "sleep"})
"""Ways of spending time that are nobody else's silence: it computes, or it sleeps because it was told to."""
_WAITERS = frozenset({"lock", "queue"})
"""Ways of waiting for another thread, which tells more where it is seen."""
_DRIP, _LONG = 64.0, 10.0
"""Ours: bytes a second below which nothing is being served; each of them starts a read timeout anew. Seconds of it."""
_STILL = 5.0
"""Ours: seconds without a byte within an answer that still count as one that arrives."""
CUT_OFF = frozenset({FailureKind.DEADLINE, FailureKind.INTERRUPTED})
_SAME_LOOK = 0.25
"""Seconds within which stacks belong to one look at everything."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait that was still going when it was last looked at."""

    seconds: float
    """Since the operation (not the wire) started."""
    silent: float
    """Since this very wait began: an operation may have done much before it."""
    waiting: str
    """`recv connect tls dns send lock process queue sleep cpu file gil unknown`"""
    peer: str
    timeout: Timeout
    """In force where it is blocked, UNKNOWN where nothing shows it."""
    received: int | None
    """Bytes of the answer so far; None: not known."""
    moving: bool
    """Bytes still came when it was last looked at."""
    location: Location | None
    ids: tuple[str, ...]
    child: str = ""
    """The child process it waits for, and what that does: `curl, recv from 10.0.0.7:443`."""
    limited_by: str = ""
    """Whose limit `timeout` is, where a wait around this one has the shorter one: `the result of a future`."""
    part: str = ""
    """Of an HTTP answer that has begun: `headers` that are not complete, or the `body`; empty where not known."""

    @property
    def progress(self) -> str:
        """` after 17 bytes of the answer`, empty before the first."""
        if not self.received:
            return ""
        head = ", its headers incomplete" if self.part == "headers" else ""
        return f" after {plural(self.received, 'byte')} of the answer{head}"

    @property
    def host(self) -> str:
        """host:port, empty where it does not wait for the network."""
        return self.peer if self.waiting in NETWORK else ""

    @property
    def drips(self) -> bool:
        """Whether its answer arrives, but no faster than an accident."""
        return self.moving and self.seconds >= _LONG and 0 < (self.received or 0) < self.seconds * _DRIP

    @property
    def text(self) -> str:
        """`recv from internal-api.local:443`, `a lock`."""
        if self.waiting in _IN_WORDS:
            return _IN_WORDS[self.waiting].format(self.peer or "an unknown peer")
        if self.waiting in {"lock", "queue"} and self.peer:
            return self.peer
        words = {
            "lock": f"a lock ({self.peer})" if self.peer else "a lock",
            "process": f"a child process ({self.child})" if self.child else "a child process",
            "queue": "a queue",
            "sleep": f"its own sleep of {self.peer}" if self.peer else "its own sleep",
            "cpu": "its own computation",
            "file": "a file",
            "gil": "C code that lets no other Python run",
        }
        return words.get(self.waiting, "something that was not seen")


def unfinished(span: Span) -> bool:
    """Whether it never ended by itself: still open, or ended by our own deadline or by whoever ran the program."""
    return span.open or (span.failure is not None and span.failure.kind in CUT_OFF)


def blocked(evidence: Evidence, span: Span) -> Wait:
    """Say what `span` was waiting for when the recording, or its step, ended."""
    evidence.touched.update(WAIT_KEYS)
    beneath = evidence.children(span)
    wires = [each for each in beneath if each.name in WIRE and unfinished(each)]
    inner = _innermost(wires)
    known = {span.id, *(each.id for each in beneath)}
    looks = _telling(_looks(evidence, span, known, {each.id for each in wires}), inner, wires)
    last = looks[-1] if looks else None
    waiting = last.waiting if last else "unknown"
    if waiting in {"unknown", ""} and inner is not None:
        waiting = _DOING[inner.name]
    end = evidence.end_of(span)
    wire = inner if waiting in NETWORK else None
    received = _received(inner, last)
    age = min(span.seconds(end), max(0.0, end - wire.start)) if wire else span.seconds(end)
    silent = min(age, last.seconds + max(0.0, end - last.at)) if last and (received or not wire) else age
    timeout = _timeout([each for each in wires if _related(each, inner, wires)], last, waiting)
    timeout, limited_by = _shortest(timeout, silent, last)
    return Wait(
        seconds=span.seconds(end),
        silent=silent,
        waiting=waiting,
        peer=_peer(inner, last, waiting),
        timeout=timeout,
        received=received,
        moving=_moving(looks) or bool(wire and received and silent < min(_STILL, age / 2)),
        location=last.user_frame if last else None,
        ids=(span.id, *((inner.id,) if inner else ()), *((last.id,) if last else ())),
        part=str(last.attrs.get("part") or "") if last else "",
        child=_child(last),
        limited_by=limited_by,
    )


def _innermost(wires: list[Span]) -> Span | None:
    """The wait that has lasted longest, of those with no other within: of several at once, the others may be young."""
    parents = {each.parent for each in wires}
    leaves = [each for each in wires if each.id not in parents]
    return min(leaves, key=lambda each: (each.start, -WIRE.index(each.name)), default=None)


def _related(wire: Span, inner: Span | None, wires: list[Span]) -> bool:
    """Whether `wire` is `inner` or lies around it."""
    by_id = {each.id: each for each in wires}
    here = inner
    while here is not None:
        if here.id == wire.id:
            return True
        here = by_id.get(here.parent or "")
    return False


def _telling(looks: list[Stack], inner: Span | None, wires: list[Span]) -> list[Stack]:
    """The looks that tell most: at that very wait on the wire, else at whoever does not wait for another thread."""
    around = {each.id for each in wires if _related(each, inner, wires)}
    at_wire = [stack for stack in looks if stack.span in around]
    final = [stack for stack in looks if stack.at >= looks[-1].at - _SAME_LOOK]
    if at_wire and any(stack in final for stack in at_wire):
        return at_wire
    working = {stack.thread for stack in final if stack.waiting not in _WAITERS}
    return [stack for stack in looks if stack.thread in working] if working else looks


def _looks(evidence: Evidence, span: Span, known: set[str], wires: set[str]) -> list[Stack]:
    """Stacks of this operation; of its whole step where no stack names a span and it is the step's only one."""
    of_step = evidence.stacks(step=span.step)
    mine = [stack for stack in of_step if stack.span in known]
    if not mine:
        alone = [each for each in evidence.recording.spans if each.step == span.step and each.name == span.name]
        mine = [stack for stack in of_step if stack.span is None and stack.at >= span.start] if len(alone) == 1 else []
    mine = [stack for stack in mine if not (_dumped(stack) and any(_covers(each, stack, wires) for each in mine))]
    return sorted(mine, key=lambda stack: stack.at)


def _dumped(stack: Stack) -> bool:
    return stack.attrs.get("source") == "faulthandler"


def _covers(seen: Stack, dump: Stack, wires: set[str]) -> bool:
    """Whether a dump, which a process on a busy machine had to make, only shows what its watchdog had seen itself."""
    if _dumped(seen) or dump.user_frame is None:
        return False
    same = (dump.user_frame.file, dump.user_frame.line) in {(frame.file, frame.line) for frame in seen.frames}
    return same or (seen.span in wires and seen.waiting in NETWORK)


def _peer(inner: Span | None, last: Stack | None, waiting: str) -> str:
    if inner is not None and waiting in NETWORK:
        if inner.attrs.get("host"):
            port = inner.attrs.get("port")
            return f"{inner.attrs['host']}:{port}" if port else str(inner.attrs["host"])
        if inner.attrs.get("peer"):
            return str(inner.attrs["peer"])
    return str(last.attrs.get("peer", "")) if last else ""


def _timeout(wires: list[Span], last: Stack | None, waiting: str) -> Timeout:
    """A request's own timeouts outrank the socket's: asyncio hides the latter."""
    kind = "connect" if waiting in {"connect", "tls"} else "read"
    for name in ("http.request", "net.exchange", "tcp.connect", "tls.handshake"):
        for wire in wires:
            if wire.name == name and (read := wire_timeout(wire.attrs.get("timeout"), kind)) is not UNKNOWN:
                return read
    return wire_timeout(last.attrs.get("timeout")) if last else UNKNOWN


def _shortest(timeout: Timeout, silent: float, last: Stack | None) -> tuple[Timeout, str]:
    """The limit that ends the wait first: its own, or that of a thread or task which waits for it."""
    around = last.attrs.get("around") if last else None
    limit, whose = timeout, ""
    for each in around if isinstance(around, list) else []:
        held = wire_timeout(each.get("timeout")) if isinstance(each, dict) else UNKNOWN
        if isinstance(held, Seconds) and last is not None:
            ends = Seconds(round(max(held.value, held.value - float(each.get("seconds") or 0.0) + silent), 1))
            if not isinstance(limit, Seconds) or ends.value < limit.value:
                limit, whose = ends, str(each.get("peer") or "")
    return limit, whose


def _child(last: Stack | None) -> str:
    held = last.attrs.get("child") if last else None
    if not isinstance(held, dict) or not held.get("program"):
        return ""
    waiting, peer = str(held.get("waiting") or ""), str(held.get("peer") or "")
    doing = _IN_WORDS[waiting].format(peer) if waiting in _IN_WORDS and peer else ""
    return f"{held['program']}, {doing}" if doing else str(held["program"])


def _received(inner: Span | None, last: Stack | None) -> int | None:
    held = last.attrs.get("bytes_received") if last else None
    if held is None and inner is not None:
        held = inner.attrs.get("received_bytes")
    return held if isinstance(held, int) else None


def _moving(looks: list[Stack]) -> bool:
    """Whether bytes came between the last two looks at the same thing: a thread that waits for it counts none."""
    same = [each for each in looks if (each.span, each.thread) == (looks[-1].span, looks[-1].thread)]
    if not same[1:]:
        return False
    before, after = (stack.attrs.get("bytes_received") for stack in same[-2:])
    return isinstance(before, int) and isinstance(after, int) and after > before


def wire_limit(span: Span) -> Timeout:
    """The timeout in force on one span of the wire: of its connect where that failed, else of its read."""
    connecting = span.failure is not None and span.failure.kind in {
        FailureKind.TIMEOUT_CONNECT,
        FailureKind.TCP_TIMEOUT,
        FailureKind.TCP_REFUSED,
    }
    return wire_timeout(span.attrs.get("timeout"), "connect" if connecting else "read")
