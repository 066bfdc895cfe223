"""A server that behaves as its path says, in the clear and with a certificate nobody trusts."""

import json
import re
import socket
import ssl
import struct
import threading

import pytest
import trustme

ANSWER = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ok"}}],
    }
).encode()
REASONS = {200: "OK", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}


class Behaving:
    """`/ok /404 /429 /500 /silent /reset /stall /close`, and anything below them."""

    def __init__(self, context=None):
        self.context = context
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.held = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.over.is_set():
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.converse, args=(peer,), daemon=True).start()

    def converse(self, peer):
        try:
            if self.context is not None:
                peer = self.context.wrap_socket(peer, server_side=True)
            with peer, peer.makefile("rb") as lines:
                while self.answer(peer, lines):
                    pass
        except OSError:
            pass

    def answer(self, peer, lines):
        first = lines.readline()
        if not first:
            return False
        headers = {}
        while (line := lines.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        lines.read(int(headers.get(b"content-length", 0)))
        behaviour = re.match(rb"\S+ /(\w+)", first)[1].decode()
        if behaviour == "silent":
            self.over.wait()
        elif behaviour == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif behaviour == "stall":
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
            peer.sendall(head + ANSWER[:20])
            self.over.wait()
        elif behaviour != "close":
            self.respond(peer, 200 if behaviour == "ok" else int(behaviour))
            return b"HTTP/1.1" in first
        return False

    def respond(self, peer, status):
        extra = b"Retry-After: 0.01\r\nx-ratelimit-remaining-requests: 0\r\n" if status == 429 else b""
        head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\n".encode()
        peer.sendall(head + extra + b"Content-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER)

    def close(self):
        self.over.set()
        self.listener.close()


@pytest.fixture(scope="session")
def behaving():
    server = Behaving()
    yield server
    server.close()


@pytest.fixture(scope="session")
def authority():
    return trustme.CA(organization_name="Nobody In Particular")


def secured(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return Behaving(context)


@pytest.fixture(scope="session")
def behaving_tls(authority):
    server = secured(authority)
    yield server
    server.close()


@pytest.fixture(scope="session")
def untrusted_tls():
    server = secured(trustme.CA(organization_name="A Stranger"))
    yield server
    server.close()
