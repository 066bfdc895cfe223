"""urllib3, beneath requests and botocore: `http.request`, from before it connects to where http.client takes over.

urllib3 connects before it talks to http.client (TLS first), so its requests are opened at `_make_request`; status,
headers and body are told by `http_client.py`, which finds the request going on in this thread.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from types import ModuleType
from typing import Any, NamedTuple

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.calls import HttpCall
from crewdoctor.worker.taps.http_client import caller, here, split
from crewdoctor.worker.taps.identity import ByObject, number_of
from crewdoctor.worker.taps.tap import BlockedWouldWrite, Tap, wire
from crewdoctor.worker.taps.words import Telling, attributes
from crewdoctor.worker.taps.writes import may_send


class _Pool(NamedTuple):
    """What is the same for every request of a pool of urllib3's: where it leads, not the proxy on the way."""

    scheme: str
    host: str
    port: int | None
    proxy: str
    number: int
    client: str
    """Who sent the first one over it: requests and botocore have pools of their own."""


def install(recorder: Recorder) -> None:
    """Tap urllib3's pool, now or when it is imported."""
    tap = Tap("urllib3", recorder)

    def pools(module: ModuleType) -> None:
        tap.replace(module.HTTPConnectionPool, "_make_request", _requests(tap))

    when_imported("urllib3.connectionpool", tap.safely(pools))


def _requests(tap: Tap) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """urllib3's attempt: connect, send, headers. The body goes on with the http.client response."""
    recorder = tap.recorder
    pools: ByObject[_Pool] = ByObject(_pool)
    held = pools.held

    def begin(pool: Any, method: str, url: str, timeout: Any) -> HttpCall:
        known = held.get(id(pool))
        of = known[1] if known is not None and known[0]() is pool else pools.of(pool)
        if recorder.writes_blocked > 0:
            host, path = _where(of, url)[1::2]
            may_send(recorder, method, str(host), str(path))
        limits = timeout if hasattr(timeout, "read_timeout") else pool.timeout
        call = here.call = HttpCall(recorder, _TELLING, (of.host, method, of, url, limits))
        return call

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def _make_request(pool: Any, conn: Any, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
            if not tap.active or recorder.idle:
                return original(pool, conn, method, url, *args, **kwargs)
            try:
                call = begin(pool, method, url, kwargs.get("timeout"))
            except BlockedWouldWrite:
                raise
            except Exception as error:
                tap.disable(error)
                return original(pool, conn, method, url, *args, **kwargs)
            try:
                response = original(pool, conn, method, url, *args, **kwargs)
            except BaseException as error:
                here.call = None
                tap.tell(call.failed, error)
                raise
            here.call = None
            if call.token is not None:
                tap.tell(call.leave)
            return response

        return _make_request

    return make


_Raw = tuple[str, str, _Pool, str, Any]


def _key(raw: _Raw) -> Hashable:
    _, method, pool, url, limits = raw
    asked = getattr(limits, "_connect", None), getattr(limits, "_read", None), getattr(limits, "total", None)
    return (method, pool, url, type(limits), *asked)


def _words(raw: _Raw) -> dict[str, Any]:
    """Attributes of urllib3's request, from what was at hand when it began."""
    _, method, pool, url, limits = raw
    scheme, host, port, path = _where(pool, url)
    return attributes(
        client=pool.client,
        method=method,
        scheme=scheme,
        host=host,
        port=port,
        path=path,
        timeout=_urllib3_limits(limits),
        proxy=pool.proxy,
        number=pool.number,
    )


_TELLING = Telling(_words, _key)


def _where(pool: _Pool, url: str) -> tuple[str, str, int | None, str]:
    """Scheme, host, port and path; a plain proxy is asked for the whole URL."""
    if "://" not in url:
        return pool.scheme, pool.host, pool.port, url
    return split(url, pool.host)


def _pool(pool: Any) -> _Pool:
    return _Pool(pool.scheme, str(pool.host).strip("[]"), pool.port, _proxy(pool), number_of(pool), caller())


def _urllib3_limits(limits: Any) -> dict[str, Any]:
    """Wire form of urllib3's Timeout: total bounds both parts."""

    def of(part: Any) -> Any:
        return wire(part) if part is None or isinstance(part, (int, float)) else wire(_default())

    connect, read, total = (getattr(limits, f"_{name}", None) for name in ("connect", "read", "total"))
    total = getattr(limits, "total", total)
    parts = {"connect": of(connect), "read": of(read)}
    if isinstance(total, (int, float)):
        parts["total"] = wire(total)
    return parts


def _default() -> float | None:
    import socket

    return socket.getdefaulttimeout()


def _proxy(pool: Any) -> str:
    proxy = getattr(pool, "proxy", None)
    return f"{proxy.scheme}://{proxy.host}:{proxy.port}" if proxy is not None else ""
