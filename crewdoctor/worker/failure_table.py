"""What the exceptions of client libraries mean, by name: nothing here imports a client library.

A key is `<top-level package>.<class name>`. A class is looked up along its MRO, nearest first, so subclasses a user
made are found as well. `DEFINITE` ends the search along the chain of causes; `VAGUE` is what the class says when no
cause behind it says more (an `APIConnectionError` is raised for refused, reset and unresolved alike).
"""

from __future__ import annotations

import errno
import re
import socket

from crewdoctor.model.span import FailureKind as Kind

_HTTPX_FAMILY = ("httpx", "httpx2", "httpcore", "httpcore2")

DEFINITE: dict[str, Kind] = {
    "requests.ConnectTimeout": Kind.TIMEOUT_CONNECT,
    "requests.ReadTimeout": Kind.TIMEOUT_READ,
    "requests.InvalidURL": Kind.BAD_ARGUMENT,
    "requests.MissingSchema": Kind.BAD_ARGUMENT,
    "requests.InvalidSchema": Kind.BAD_ARGUMENT,
    "requests.TooManyRedirects": Kind.PROTOCOL,
    "requests.ContentDecodingError": Kind.PROTOCOL,
    "urllib3.ConnectTimeoutError": Kind.TIMEOUT_CONNECT,
    "urllib3.ReadTimeoutError": Kind.TIMEOUT_READ,
    "urllib3.EmptyPoolError": Kind.TIMEOUT_POOL,
    "urllib3.DecodeError": Kind.PROTOCOL,
    "http.RemoteDisconnected": Kind.TCP_CLOSED,
    "http.IncompleteRead": Kind.TCP_CLOSED,
    "http.InvalidURL": Kind.BAD_ARGUMENT,
    "http.BadStatusLine": Kind.PROTOCOL,
    "http.LineTooLong": Kind.PROTOCOL,
    "aiohttp.SocketTimeoutError": Kind.TIMEOUT_READ,
    "aiohttp.ConnectionTimeoutError": Kind.TIMEOUT_CONNECT,
    "aiohttp.ClientConnectorCertificateError": Kind.TLS_UNTRUSTED,
    "aiohttp.ServerDisconnectedError": Kind.TCP_CLOSED,
    "aiohttp.ClientPayloadError": Kind.TCP_CLOSED,
    "aiohttp.ClientHttpProxyError": Kind.PROXY_REFUSED,
    "aiohttp.InvalidURL": Kind.BAD_ARGUMENT,
    "botocore.ReadTimeoutError": Kind.TIMEOUT_READ,
    "botocore.ConnectTimeoutError": Kind.TIMEOUT_CONNECT,
    "botocore.ConnectionClosedError": Kind.TCP_CLOSED,
    "dns.NXDOMAIN": Kind.DNS_NOT_FOUND,
    "dns.NoAnswer": Kind.DNS_NOT_FOUND,
    "dns.Timeout": Kind.DNS_TIMEOUT,
    "dns.NoNameservers": Kind.DNS_SERVFAIL,
    "ssl.SSLCertVerificationError": Kind.TLS_UNTRUSTED,
    "psycopg.LockNotAvailable": Kind.TIMEOUT_LOCK,
    "psycopg2.LockNotAvailable": Kind.TIMEOUT_LOCK,
    "psycopg.QueryCanceled": Kind.TIMEOUT_TOTAL,
    "psycopg2.QueryCanceled": Kind.TIMEOUT_TOTAL,
    "subprocess.TimeoutExpired": Kind.TIMEOUT_TOTAL,
    "subprocess.CalledProcessError": Kind.PROCESS_EXITED,
    "crewdoctor.BlockedWouldWrite": Kind.BLOCKED_WOULD_WRITE,
    "pydantic_core.ValidationError": Kind.BAD_ARGUMENT,
    "builtins.ImportError": Kind.MISSING_PACKAGE,
    "builtins.SystemExit": Kind.PROCESS_EXITED,
    "builtins.KeyboardInterrupt": Kind.INTERRUPTED,
}
VAGUE: dict[str, Kind] = {
    "requests.ProxyError": Kind.PROXY_REFUSED,
    "requests.SSLError": Kind.TLS_FAILED,
    "requests.ChunkedEncodingError": Kind.TCP_CLOSED,
    "urllib3.ProxyError": Kind.PROXY_REFUSED,
    "urllib3.SSLError": Kind.TLS_FAILED,
    "urllib3.NameResolutionError": Kind.DNS_FAILED,
    "urllib3.NewConnectionError": Kind.TCP_UNREACHABLE,
    "urllib3.ProtocolError": Kind.TCP_CLOSED,
    "aiohttp.ServerTimeoutError": Kind.TIMEOUT_TOTAL,
    "aiohttp.ClientConnectorDNSError": Kind.DNS_FAILED,
    "aiohttp.ClientConnectorSSLError": Kind.TLS_FAILED,
    "aiohttp.ClientProxyConnectionError": Kind.PROXY_REFUSED,
    "botocore.SSLError": Kind.TLS_FAILED,
    "botocore.ProxyConnectionError": Kind.PROXY_REFUSED,
    "openai.APITimeoutError": Kind.TIMEOUT_TOTAL,
    "anthropic.APITimeoutError": Kind.TIMEOUT_TOTAL,
    "ssl.SSLError": Kind.TLS_FAILED,
    "concurrent.TimeoutError": Kind.TIMEOUT_TOTAL,
    "asyncio.TimeoutError": Kind.TIMEOUT_TOTAL,
    "builtins.TimeoutError": Kind.TIMEOUT_TOTAL,
    # Beneath a timeout of asyncio or anyio lies the cancellation it was made of: it says the least of all.
    "asyncio.CancelledError": Kind.CANCELLED,
    "concurrent.CancelledError": Kind.CANCELLED,
}
for _package in _HTTPX_FAMILY:
    DEFINITE[f"{_package}.ConnectTimeout"] = Kind.TIMEOUT_CONNECT
    DEFINITE[f"{_package}.ReadTimeout"] = Kind.TIMEOUT_READ
    DEFINITE[f"{_package}.WriteTimeout"] = Kind.TIMEOUT_WRITE
    DEFINITE[f"{_package}.PoolTimeout"] = Kind.TIMEOUT_POOL
    DEFINITE[f"{_package}.ProxyError"] = Kind.PROXY_REFUSED
    DEFINITE[f"{_package}.InvalidURL"] = Kind.BAD_ARGUMENT
    DEFINITE[f"{_package}.UnsupportedProtocol"] = Kind.BAD_ARGUMENT
    DEFINITE[f"{_package}.LocalProtocolError"] = Kind.PROTOCOL
    DEFINITE[f"{_package}.DecodingError"] = Kind.PROTOCOL
    DEFINITE[f"{_package}.TooManyRedirects"] = Kind.PROTOCOL
    VAGUE[f"{_package}.RemoteProtocolError"] = Kind.PROTOCOL
    VAGUE[f"{_package}.ReadError"] = Kind.TCP_CLOSED
    VAGUE[f"{_package}.WriteError"] = Kind.TCP_CLOSED

BY_ERRNO: dict[int, Kind] = {
    errno.ECONNREFUSED: Kind.TCP_REFUSED,
    errno.ECONNRESET: Kind.TCP_RESET,
    errno.ECONNABORTED: Kind.TCP_RESET,
    errno.EPIPE: Kind.TCP_CLOSED,
    errno.ETIMEDOUT: Kind.TCP_TIMEOUT,
    errno.EHOSTUNREACH: Kind.TCP_UNREACHABLE,
    errno.ENETUNREACH: Kind.TCP_UNREACHABLE,
    errno.ENETDOWN: Kind.TCP_UNREACHABLE,
    errno.EADDRNOTAVAIL: Kind.TCP_UNREACHABLE,
    errno.EHOSTDOWN: Kind.TCP_UNREACHABLE,
}
BY_EAI: dict[int, Kind] = {
    socket.EAI_NONAME: Kind.DNS_NOT_FOUND,
    getattr(socket, "EAI_NODATA", -5): Kind.DNS_NOT_FOUND,
    # glibc says "try again" both for silence and for SERVFAIL; which of the two, only a query of our own can tell.
    socket.EAI_AGAIN: Kind.DNS_FAILED,
    socket.EAI_FAIL: Kind.DNS_SERVFAIL,
}

BY_TEXT: tuple[tuple[re.Pattern[str], Kind], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (r"server disconnected|closed (the )?connection (without|unexpectedly)|remote end closed", Kind.TCP_CLOSED),
        (r"eof (occurred|detected)|unexpected eof", Kind.TCP_CLOSED),
        (r"database (table |schema )?is locked|lock (wait )?timeout", Kind.TIMEOUT_LOCK),
        (r"tunnel connection failed|proxy authentication required", Kind.PROXY_REFUSED),
        (r"handshake operation timed out", Kind.TLS_TIMEOUT),
        (r"read operation timed out|read timed out|read timeout|timeout reading", Kind.TIMEOUT_READ),
        (r"write operation timed out|write timeout", Kind.TIMEOUT_WRITE),
        (r"connect(ion)? (attempt )?timed out|connect(ion)? timeout|timeout connecting", Kind.TIMEOUT_CONNECT),
        (r"connection refused|actively refused", Kind.TCP_REFUSED),
        (r"connection reset|connection aborted", Kind.TCP_RESET),
        (r"broken pipe", Kind.TCP_CLOSED),
        (r"name or service not known|nodename nor servname|no address associated|nxdomain", Kind.DNS_NOT_FOUND),
        (r"name resolution|getaddrinfo failed|could not resolve", Kind.DNS_FAILED),
        (r"certificate verify failed|self[- ]signed certificate|unable to get local issuer", Kind.TLS_UNTRUSTED),
        (r"network is unreachable|no route to host", Kind.TCP_UNREACHABLE),
        (r"rate[ -]limit|too many requests|\b429\b", Kind.HTTP_RATE_LIMITED),
        (r"unexpected keyword argument|missing \d+ required|field required", Kind.BAD_ARGUMENT),
        (r"deadline exceeded|timed? ?out", Kind.TIMEOUT_TOTAL),
    )
)
"""Last of all, in order: error texts lie. Texts of libraries and of glibc, most specific first."""
