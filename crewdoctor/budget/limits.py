"""The limit that really ends a tool's wait for an answer: from the wire, from the live object, from the source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from crewdoctor import wording
from crewdoctor.budget.arithmetic import times, total
from crewdoctor.model.inventory import ScanEntry
from crewdoctor.model.recording import Recording
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Location, Seconds, Timeout
from crewdoctor.model.span import Span
from crewdoctor.wire.codec import WireError, decode_timeout

NETWORK_CLIENTS = frozenset(
    {
        "requests",
        "httpx",
        "httpx2",
        "aiohttp",
        "urllib",
        "urllib3",
        "http.client",
        "socket",
        "smtplib",
        "ftplib",
        "imaplib",
        "poplib",
        "xmlrpc",
    }
)
"""Clients whose unlimited wait is a wait for a network peer (the rest belongs to CD330)."""
SDKS = frozenset({"openai", "anthropic", "boto3"})
"""SDKs with retries of their own."""
WAITERS = frozenset({"future", "threading", "queue", "asyncio", "subprocess"})
"""Calls through which a tool can bound work that has no timeout of its own."""
_LIBRARY_DEFAULTS = {"httpx": 5.0, "httpx2": 5.0, "aiohttp": 300.0}


@dataclass(frozen=True, slots=True)
class InForce:
    """A limit, where it comes from, and what shows it."""

    timeout: Timeout = UNKNOWN
    where: str = ""
    """`tools.py:57`, `default of httpx`."""
    written: bool = False
    """Whether a person chose it."""
    ids: tuple[str, ...] = ()
    """Evidence ids: settings, spans, `scan:<file>:<line>`."""
    location: Location | None = None
    attempts: int = 1
    """How often the same wait may be begun, by the client's retries or a decorator's; 0: until it succeeds."""
    slept: float = 0.0
    """Seconds between those, at most."""

    @property
    def ceiling(self) -> Timeout:
        """Of one call of the tool against a peer that stays silent."""
        if self.attempts == 0:
            return UNLIMITED
        return total(times(self.attempts, self.timeout), Seconds(self.slept))

    @property
    def formula(self) -> str:
        """`4 attempts x 10 s + 6 s backoff`; `10 s` where nothing is tried again."""
        once = wording.limit(self.timeout)
        if self.attempts == 1 or not isinstance(self.timeout, Seconds):
            return once
        if self.attempts == 0:
            return f"attempts of {once} without an end"
        tail = f" + {wording.exact(round(self.slept, 3))} backoff" if self.slept else ""
        return f"{self.attempts} attempts {wording.TIMES} {once}{tail}"

    @property
    def because(self) -> str:
        """`: 4 attempts x 10 s, tools.py:57`."""
        what = f": {self.formula}" if self.attempts != 1 else ""
        return what + (f", {self.where}" if self.where else "")


def wire_timeout(value: Any, kind: str = "read") -> Timeout:
    """Read a timeout attribute of a span: the wire form itself, or `{connect, read, write, pool, total}` of them."""
    if isinstance(value, dict) and "timeout" not in value:
        own, whole = wire_timeout(value.get(kind)), wire_timeout(value.get("total"))
        return whole if isinstance(whole, Seconds) and not isinstance(own, Seconds) else own
    try:
        read = decode_timeout(value)
    except WireError:
        return UNKNOWN
    # asyncio's sockets never block: their own timeout is 0 and says nothing about who will end the wait.
    return UNKNOWN if isinstance(read, Seconds) and read.value <= 0 else read


def scan_id(entry: ScanEntry) -> str:
    """Evidence id of a call found in source."""
    return f"scan:{entry.location}"


def tool_limit(recording: Recording, subject: str) -> InForce:
    """What bounds one wait of the tool for an answer; UNKNOWN where nothing shows it."""
    declared = _repeated(recording, subject, _declared(recording, subject))
    seen = _seen(recording, subject)
    if seen is None:
        return declared
    same = declared.timeout == seen.timeout
    return InForce(
        timeout=seen.timeout,
        where=declared.where if same else seen.where,
        written=declared.written if same else seen.written,
        ids=(*seen.ids, *(declared.ids if same else ())),
        location=declared.location if same else None,
        attempts=declared.attempts,
        slept=declared.slept,
    )


def _repeated(recording: Recording, subject: str, known: InForce) -> InForce:
    """With the retries of the call that makes the longest wait of them."""
    calls = [each for each in scan_of(recording, subject) if each.client in NETWORK_CLIENTS | SDKS]
    calls = [each for each in calls if wire_timeout(each.timeout) == known.timeout]
    longest = max(calls, key=lambda each: (each.attempts == 0, each.attempts), default=None)
    if longest is None or longest.attempts == 1 or not isinstance(known.timeout, Seconds):
        return known
    return replace(known, attempts=longest.attempts, slept=longest.slept)


OWN_WAITS = {
    "process": frozenset({"subprocess"}),
    "queue": frozenset({"queue"}),
    "lock": frozenset({"threading", "future", "queue", "sqlite3"}),
}
"""Ways of waiting that are no network's → clients whose calls wait so."""


def own_limit(recording: Recording, subject: str, waiting: str) -> InForce:
    """What bounds a tool's wait for a lock, a queue or a child process, as its source says."""
    root = recording.inventory.project_root if recording.inventory else ""
    for entry in scan_of(recording, subject):
        if entry.client in OWN_WAITS.get(waiting, ()):
            timeout = wire_timeout(entry.timeout)
            where = wording.place(entry.location, root)
            return InForce(timeout, where, isinstance(timeout, Seconds), (scan_id(entry),), entry.location)
    return InForce()


def scan_of(recording: Recording, subject: str) -> tuple[ScanEntry, ...]:
    """Calls in source that the tool reaches."""
    return tuple(
        entry for entry in (recording.inventory.scan if recording.inventory else ()) if subject in entry.subjects
    )


def _seen(recording: Recording, subject: str) -> InForce | None:
    """The longest wait the wire allowed; a request's own timeouts outrank the socket's, which asyncio hides."""
    requests, exchanges = [], []
    for span in recording.spans:
        if span.subject == subject:
            if span.name == "http.request":
                requests.append(span)
            elif span.name == "net.exchange":
                exchanges.append(span)
    for spans in (requests, exchanges):
        known = [(span, wire_timeout(span.attrs.get("timeout"))) for span in spans]
        known = [(span, timeout) for span, timeout in known if timeout is not UNKNOWN]
        if known:
            span, timeout = max(known, key=lambda each: _length(each[1]))
            return InForce(timeout, _wire_source(span, timeout), _chosen(span, timeout), (span.id,))
    return None


def _wire_source(span: Span, timeout: Timeout) -> str:
    client = str(span.attrs.get("client", ""))
    if isinstance(timeout, Seconds) and _LIBRARY_DEFAULTS.get(client) == timeout.value:
        return f"default of {client}"
    return "seen on the wire"


def _chosen(span: Span, timeout: Timeout) -> bool:
    client = str(span.attrs.get("client", ""))
    return isinstance(timeout, Seconds) and _LIBRARY_DEFAULTS.get(client) != timeout.value


def _declared(recording: Recording, subject: str) -> InForce:
    root = recording.inventory.project_root if recording.inventory else ""
    settings = [
        setting
        for setting in (recording.inventory.settings if recording.inventory else ())
        if setting.subject == subject and setting.name in {"timeout", "timeout.read"}
    ]
    for setting in settings:
        value = setting.value
        if isinstance(value, Seconds) or value is UNLIMITED:
            origin = setting.provenance
            place = wording.place(origin.location, root)
            where = place if value is UNLIMITED and place else origin.where
            return InForce(value, where, setting.written, (setting.id,), origin.location)
    entries = [
        (entry, wire_timeout(entry.timeout)) for entry in scan_of(recording, subject) if entry.client in NETWORK_CLIENTS
    ]
    entries = [(entry, timeout) for entry, timeout in entries if timeout is not UNKNOWN]
    if not entries:
        return InForce()
    entry, timeout = max(entries, key=lambda each: _length(each[1]))
    default = isinstance(timeout, Seconds) and _LIBRARY_DEFAULTS.get(entry.client) == timeout.value
    where = f"default of {entry.client}" if default else wording.place(entry.location, root)
    written = isinstance(timeout, Seconds) and not default
    return InForce(timeout, where, written, (scan_id(entry),), entry.location)


def _length(timeout: Timeout) -> float:
    return timeout.value if isinstance(timeout, Seconds) else float("inf")
