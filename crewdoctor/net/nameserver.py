"""One question to one nameserver, as glibc would put it."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dns.message


def ask(nameserver: str, name: str, rdtype: str, timeout: float) -> tuple[str, list[str], bool]:
    """Ask once over UDP, again over TCP when the answer was cut. Raises OSError (refused, no route), TimeoutError.

    The socket is connected as glibc's is: only so does an ICMP "port unreachable" arrive as a refusal.
    """
    import dns.message
    import dns.query
    import dns.rcode

    query = dns.message.make_query(name, rdtype, use_edns=0)
    address = socket.getaddrinfo(nameserver, 53, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0]
    with socket.socket(address[0], socket.SOCK_DGRAM) as connection:
        connection.connect(address[4])
        answer = _exchange(connection, query, timeout)
    truncated = bool(answer.flags & dns.flags.TC)
    if truncated:
        answer = dns.query.tcp(query, nameserver, timeout=timeout)
    return dns.rcode.to_text(answer.rcode()), [str(item) for rrset in answer.answer for item in rrset], truncated


def _exchange(connection: socket.socket, query: dns.message.Message, timeout: float) -> dns.message.Message:
    """Send, and once more half-way: one lost packet is no dead nameserver. Raises OSError, TimeoutError."""
    import dns.message

    began = time.monotonic()
    for share in (0.5, 1.0):
        connection.send(query.to_wire())
        while (left := began + timeout * share - time.monotonic()) > 0:
            connection.settimeout(left)
            try:
                answer = dns.message.from_wire(connection.recv(65535), ignore_trailing=True)
            except TimeoutError:
                break
            if query.is_response(answer):
                return answer
    raise TimeoutError(f"no answer within {timeout} s")


def warm() -> None:
    """What dnspython imports on first use would otherwise be counted as the nameserver's time."""
    import dns.message
    import dns.query
    import dns.rcode
    import dns.rdata

    for rdtype in ("A", "AAAA", "CNAME", "SOA"):
        dns.rdata.get_rdata_class(dns.rdataclass.IN, dns.rdatatype.from_text(rdtype))  # type: ignore[no-untyped-call]
