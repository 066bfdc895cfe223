"""Any exception of the user's stack, in the closed vocabulary of failures (law 11). The only place that does this.

Order of trust: an HTTP status, `errno` and typed exceptions anywhere along the chain of causes; then what a vague
class says by itself; then the text, because texts lie (crewai raises `ConnectionError("Failed to connect to OpenAI
API: Request timed out.")` for a read timeout and for an exhausted pool alike: only the cause tells them apart).
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import Any

from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.worker.failure_table import BY_EAI, BY_ERRNO, BY_TEXT, DEFINITE, VAGUE

MAX_TEXT = 400
MAX_CAUSES = 12
_CLIENT_ERROR = 400
_SERVER_ERROR = 500
_BY_STATUS = {
    401: FailureKind.HTTP_UNAUTHORIZED,
    403: FailureKind.HTTP_UNAUTHORIZED,
    404: FailureKind.HTTP_NOT_FOUND,
    407: FailureKind.PROXY_REFUSED,
    408: FailureKind.HTTP_SERVER_ERROR,
    429: FailureKind.HTTP_RATE_LIMITED,
}
_WHILE = {
    "dns": FailureKind.DNS_TIMEOUT,
    "connect": FailureKind.TCP_TIMEOUT,
    "tls": FailureKind.TLS_TIMEOUT,
    "send": FailureKind.TIMEOUT_WRITE,
    "recv": FailureKind.TIMEOUT_READ,
}
"""What a bare TimeoutError means, by the operation it ended."""


def classify(error: BaseException, doing: str = "") -> Failure:
    """Classify `error`; `doing` (`dns connect tls send recv`) says which operation it ended, where the caller knows.

    Never raises: an exception whose attributes raise is an EXCEPTION.
    """
    chain = _chain(error)
    try:
        kind = _kind(chain, doing)
    except Exception:
        kind = FailureKind.EXCEPTION
    return Failure(
        kind,
        text=_text(error),
        exception=qualified(error),
        causes=tuple(qualified(cause) for cause in chain[1:]),
    )


def classify_text(text: str) -> FailureKind | None:
    """Read a failure out of words alone (a tool that returns its error as an answer); None where they tell nothing."""
    return next((kind for pattern, kind in BY_TEXT if pattern.search(text)), None)


def of_status(status: int) -> FailureKind | None:
    """Return the failure an HTTP status stands for; None below 400."""
    if status < _CLIENT_ERROR:
        return None
    if status >= _SERVER_ERROR:
        return FailureKind.HTTP_SERVER_ERROR
    return _BY_STATUS.get(status, FailureKind.HTTP_CLIENT_ERROR)


def qualified(error: BaseException) -> str:
    """Module and class name; builtins without their module."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _chain(error: BaseException) -> list[BaseException]:
    """The exception and its causes, outermost first.

    A suppressed context is followed as well: httpcore re-raises with `from None`, which hides the socket's own error.
    Of an exception group the first member stands for all (anyio groups one refusal per address).
    """
    chain: list[BaseException] = []
    current: Any = error
    while isinstance(current, BaseException) and all(current is not seen for seen in chain):
        chain.append(current)
        if len(chain) > MAX_CAUSES:
            break
        members = getattr(current, "exceptions", None)
        current = (
            current.__cause__
            or (members[0] if isinstance(members, tuple) and members else None)
            or current.__context__
            or _held(current)
        )
    return chain


def _held(error: BaseException) -> BaseException | None:
    """Return the exception some wrappers carry as an attribute only (urllib's `reason`, aiohttp's `os_error`)."""
    for name in ("reason", "os_error", "original_exception"):
        held = getattr(error, name, None)
        if isinstance(held, BaseException):
            return held
    return None


def _kind(chain: list[BaseException], doing: str) -> FailureKind:
    vague: FailureKind | None = None
    for error in chain:
        definite = _definite(error, doing)
        if definite is not None:
            return definite
        weak = _named(error, VAGUE)
        if weak is not None and (vague is None or vague is FailureKind.CANCELLED):
            vague = weak
    if doing and vague in {FailureKind.TIMEOUT_TOTAL, FailureKind.CANCELLED}:
        return _WHILE.get(doing, vague) if vague is FailureKind.TIMEOUT_TOTAL else vague
    spoken = next((kind for error in chain for kind in (classify_text(str(error)),) if kind is not None), None)
    if vague is None or (spoken is not None and vague in {FailureKind.TIMEOUT_TOTAL, FailureKind.PROTOCOL}):
        return spoken or FailureKind.EXCEPTION
    return vague


def _definite(error: BaseException, doing: str) -> FailureKind | None:
    status = _status(error)
    if status is not None:
        kind = of_status(status)
        if kind is not None:
            return kind
    named = _named(error, DEFINITE)
    if named is not None:
        return named
    if isinstance(error, socket.gaierror):
        return BY_EAI.get(error.errno or 0, FailureKind.DNS_FAILED)
    if isinstance(error, ssl.SSLError):
        return _tls(error)
    if isinstance(error, OSError):
        return _os_error(error, doing)
    if isinstance(error, TypeError) and "argument" in str(error):
        return FailureKind.BAD_ARGUMENT
    return None


def _tls(error: ssl.SSLError) -> FailureKind | None:
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return FailureKind.TLS_FAILED
    return None if "timed out" in str(error) else FailureKind.TLS_FAILED


def _os_error(error: OSError, doing: str) -> FailureKind | None:
    """By errno; a timeout the socket itself raised has none, and its traceback tells what it ended."""
    known = BY_ERRNO.get(error.errno or 0)
    if known is not None:
        return known
    if isinstance(error, ConnectionRefusedError):
        return FailureKind.TCP_REFUSED
    if isinstance(error, ConnectionResetError):
        return FailureKind.TCP_RESET
    if isinstance(error, TimeoutError) and str(error):
        text = str(error)
        if "handshake operation timed out" in text:
            return FailureKind.TLS_TIMEOUT
        if text == "timed out":
            return _WHILE.get(doing or _ended(error))
    return None


def _ended(error: BaseException) -> str:
    """What a bare `timed out` ended, by the innermost function it passed through."""
    trace = error.__traceback__
    name = ""
    while trace is not None:
        name = trace.tb_frame.f_code.co_name
        trace = trace.tb_next
    if re.search(r"connect", name):
        return "connect"
    return "send" if re.fullmatch(r"send\w*|write", name) else "recv"


def _named(error: BaseException, table: dict[str, FailureKind]) -> FailureKind | None:
    """Look the class up by package and name, along its MRO; the nearest class any table knows decides."""
    for kind in type(error).__mro__:
        key = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
        if key in table:
            return table[key]
        if key in DEFINITE or key in VAGUE:
            return None
    return None


def _status(error: BaseException) -> int | None:
    """Return the HTTP status an exception carries, by any of the names the SDKs give it."""
    response = getattr(error, "response", None)
    candidates = [getattr(error, "status_code", None), getattr(response, "status_code", None)]
    if isinstance(response, dict):
        candidates.append(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    package = type(error).__module__.partition(".")[0]
    if package == "aiohttp":
        candidates.append(getattr(error, "status", None))
    if package == "urllib":
        candidates.append(getattr(error, "code", None))
    return next((each for each in candidates if isinstance(each, int) and not isinstance(each, bool)), None)


def _text(error: BaseException) -> str:
    """The library's words on one line; redaction happens at the border, in the recorder."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = ""
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
