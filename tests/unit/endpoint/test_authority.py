"""Certificates minted here satisfy a strict client, for exactly the names they were asked for."""

import contextlib
import socket
import ssl
import threading

import pytest

from crewdoctor.endpoint.authority import Authority


@pytest.fixture(scope="module")
def authority():
    return Authority()


def handshake(authority, names, wanted):
    """What a strict client says to a server that shows a certificate for `names`."""
    ours, theirs = socket.socketpair()
    context = ssl.create_default_context(cadata=authority.pem)
    context.verify_flags |= ssl.VERIFY_X509_STRICT

    def serve():
        try:
            with authority.context(*names).wrap_socket(ours, server_side=True) as tls:
                tls.recv(1)
        except OSError:
            pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with context.wrap_socket(theirs, server_hostname=wanted) as tls:
            return tls.version()
    finally:
        thread.join(5)


@pytest.mark.parametrize("name", ["api.example.com", "10.0.0.5", "2001:db8::7", "bücher.example"])
def test_a_strict_client_takes_the_certificate_of_the_name_it_wanted(authority, name):
    assert handshake(authority, ("other.example", name), name).startswith("TLS")


def test_another_name_is_refused(authority):
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(authority, ("api.example.com",), "evil.example.com")


def test_another_authority_is_not_trusted(authority):
    stranger = Authority()
    ours, theirs = socket.socketpair()
    threading.Thread(target=lambda: _serve_once(stranger, ours), daemon=True).start()
    trusting = ssl.create_default_context(cadata=authority.pem)

    with pytest.raises(ssl.SSLCertVerificationError):
        trusting.wrap_socket(theirs, server_hostname="a.example")


def _serve_once(authority, sock):
    with contextlib.suppress(OSError):
        authority.context("a.example").wrap_socket(sock, server_side=True)
