"""A timed operation, how it failed, and what a blocked thread was doing."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from crewdoctor.model.layer import Layer
from crewdoctor.model.setting import Location


class FailureKind(str, Enum):
    """The closed vocabulary of failures (law 11). Classified once, in `worker/classify.py`."""

    DNS_NOT_FOUND = "dns.not_found"
    DNS_REFUSED = "dns.refused"
    DNS_SERVFAIL = "dns.servfail"
    DNS_TIMEOUT = "dns.timeout"
    DNS_FAILED = "dns.failed"
    TCP_REFUSED = "tcp.refused"
    TCP_TIMEOUT = "tcp.timeout"
    TCP_RESET = "tcp.reset"
    TCP_UNREACHABLE = "tcp.unreachable"
    TCP_CLOSED = "tcp.closed"
    TLS_UNTRUSTED = "tls.untrusted"
    TLS_TIMEOUT = "tls.timeout"
    TLS_FAILED = "tls.failed"
    PROXY_REFUSED = "proxy.refused"
    TIMEOUT_CONNECT = "timeout.connect"
    TIMEOUT_READ = "timeout.read"
    TIMEOUT_WRITE = "timeout.write"
    TIMEOUT_POOL = "timeout.pool"
    TIMEOUT_TOTAL = "timeout.total"
    TIMEOUT_LOCK = "timeout.lock"
    """A database gave up on a lock that somebody else held."""
    HTTP_RATE_LIMITED = "http.rate_limited"
    HTTP_UNAUTHORIZED = "http.unauthorized"
    HTTP_NOT_FOUND = "http.not_found"
    HTTP_CLIENT_ERROR = "http.client_error"
    HTTP_SERVER_ERROR = "http.server_error"
    PROTOCOL = "protocol"
    BLOCKED_WOULD_WRITE = "blocked.would_write"
    MISSING_PACKAGE = "python.missing_package"
    BAD_ARGUMENT = "python.bad_argument"
    EXCEPTION = "python.exception"
    PROCESS_EXITED = "process.exited"
    CANCELLED = "cancelled"
    DEADLINE = "deadline"
    """Our own deadline ended it; the operation itself was still going."""
    INTERRUPTED = "interrupted"
    """Whoever ran the program ended it (Ctrl-C, SIGTERM); the operation itself was still going."""
    UNKNOWN = "unknown"

    @property
    def is_timeout(self) -> bool:
        """Whether some clock of the user's stack ran out."""
        return self.value.startswith("timeout.") or self.value in {
            "dns.timeout",
            "tcp.timeout",
            "tls.timeout",
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an operation did not succeed."""

    kind: FailureKind
    text: str = ""
    """The library's words, redacted, one line."""
    exception: str = ""
    """Qualified class name of the outermost exception."""
    causes: tuple[str, ...] = ()
    """Qualified class names along `__cause__`/`__context__`, innermost last."""


@dataclass(frozen=True, slots=True)
class Span:
    """One operation. Times are seconds since the recording's zero on the shared monotonic clock.

    `name` is one of docs/spans.md: `dns.lookup dns.query tcp.connect tls.handshake proxy.connect net.exchange
    http.request tool.call llm.call agent.execution task.execution crew.kickoff limiter.sleep retry.backoff
    mcp.call python.import`.
    `end` is None when the operation was still going when the recording ended: that is the diagnosis of a hang.
    """

    id: str
    step: str
    name: str
    start: float
    end: float | None
    layer: Layer
    subject: str = ""
    parent: str | None = None
    failure: Failure | None = None
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether it never ended."""
        return self.end is None

    def seconds(self, until: float | None = None) -> float:
        """Duration in seconds; an open span lasts until `until` (its step's end)."""
        end = self.end if self.end is not None else until
        return max(0.0, (end if end is not None else self.start) - self.start)


@dataclass(frozen=True, slots=True)
class Stack:
    """What one thread or coroutine of a step was blocked on when it was looked at."""

    id: str
    step: str
    at: float
    span: str | None
    """The open span it belongs to, where known."""
    waiting: str
    """`recv connect tls dns send sleep lock process queue cpu file gil unknown`; `gil`: C code that stops Python"""
    frames: tuple[Location, ...]
    """The user's own frames first, innermost first; then library frames."""
    user_frame: Location | None = None
    """The innermost frame of the user's own files."""
    thread: str = ""
    seconds: float = 0.0
    attrs: dict[str, Any] = field(default_factory=dict)
    """`peer` (host:port), `timeout` (wire form of a Timeout), `bytes_received`, where known."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at one moment of a step (a 429 seen, a limiter entered, a canary answered)."""

    id: str
    step: str
    name: str
    at: float
    attrs: dict[str, Any] = field(default_factory=dict)
