"""An HTTP request in the words of a recording: from what a library holds to the attributes of `http.request`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

_RATE = "x-ratelimit-"
_TELLING = frozenset({b"r", b"R", b"x", b"X", "r", "R", "x", "X"})
"""First letters of the headers that are read of an answer."""


class Telling(NamedTuple):
    """How a tap puts its requests into words, once they are written or somebody asks."""

    words: Callable[[Any], dict[str, Any]]
    """From what it noted: `attributes`."""
    key: Callable[[Any], Hashable]
    """What these depend on, if that is quicker to say than they are; None where it is not."""


def attributes(  # noqa: PLR0913 - a request has that many parts
    *,
    client: str,
    method: str,
    scheme: str,
    host: str,
    port: int | None,
    path: str,
    timeout: dict[str, Any],
    attempt: int | None = None,
    proxy: str = "",
    number: int | None = None,
) -> dict[str, Any]:
    """What is told of a request at its start. `number`: of the client object, None where there is none."""
    url, port = _shown(scheme, host, port, path)
    told: dict[str, Any] = {
        "client": client,
        "method": method.upper(),
        "url": url,
        "host": host,
        "port": port,
        "timeout": timeout,
    }
    if attempt is not None:
        told["attempt"] = attempt
    if proxy:
        told["proxy"] = proxy
    if number is not None:
        told["client_object"] = number
    return told


AS_TOLD = Telling(lambda raw: raw[1], lambda _raw: None)
"""Of a tap that has put a request into words already: `raw` is the host and these."""


@lru_cache(maxsize=512)
def _shown(scheme: str, host: str, port: int | None, path: str) -> tuple[str, int]:
    """The URL without query and fragment, and its port."""
    usual = 443 if scheme in {"https", "wss"} else 80
    port = port or usual
    path = path.partition("?")[0].partition("#")[0]
    return f"{scheme}://{bracketed(host)}{'' if port == usual else f':{port}'}{path}", port


def bracketed(host: str) -> str:
    """A host as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def of_headers(headers: Any) -> dict[str, Any]:
    """What an answer's headers say of when to come again, and how often."""
    told: dict[str, Any] = {}
    rate: dict[str, str] = {}
    pairs: Iterable[tuple[Any, Any]] = headers.items() if hasattr(headers, "items") else headers or ()
    for name, value in pairs:
        if name[:1] not in _TELLING:  # a dozen headers say nothing to us
            continue
        lower = _text(name).lower()
        if lower == "retry-after":
            told["retry_after"] = _seconds(_text(value))
        elif lower.startswith(_RATE):
            rate[lower[len(_RATE) :]] = _text(value)
    if rate:
        told["ratelimit"] = rate
    return told


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _seconds(value: str) -> float | str:
    """Return Retry-After in seconds; a date stays as it was written."""
    try:
        return float(value)
    except ValueError:
        return value
