"""An HTTP proxy with CONNECT, and with faults: a refusal, a delay, silence."""

import contextlib
import socket
import socketserver
import threading
import time
from urllib.parse import urlsplit


class Proxy(socketserver.ThreadingTCPServer):
    """Listens on `address` (port 0: any). `status`: refuse everything with it; `delay` seconds before it answers."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address=("127.0.0.1", 0), *, status=0, delay=0.0):
        super().__init__(address, Conversation)
        self.status, self.delay, self.asked = status, delay, []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self):
        return "http://{}:{}".format(*self.server_address)

    def close(self):
        self.shutdown()
        self.server_close()


class Conversation(socketserver.StreamRequestHandler):
    def handle(self):
        method, target, _ = self.rfile.readline().decode("latin-1").split(" ", 2)
        head = list(iter(self.rfile.readline, b"\r\n"))
        self.server.asked.append((method, target))
        time.sleep(self.server.delay)
        if self.server.status:
            self.wfile.write(
                f"HTTP/1.1 {self.server.status} no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            return
        parts = urlsplit(target if "://" in target else f"//{target}")
        try:
            upstream = socket.create_connection((parts.hostname, parts.port or 80), 5)
        except OSError:
            self.wfile.write(b"HTTP/1.1 502 unreachable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        with upstream:
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 established\r\n\r\n")
            else:
                path = parts.path or "/"
                kept = [line for line in head if not line.lower().startswith((b"connection:", b"proxy-"))]
                upstream.sendall(
                    f"{method} {path} HTTP/1.1\r\n".encode() + b"".join(kept) + b"Connection: close\r\n\r\n"
                )
            back = threading.Thread(target=pump, args=(upstream, self.connection), daemon=True)
            back.start()
            pump(self.connection, upstream)
            back.join(10)


def pump(source, sink):
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
