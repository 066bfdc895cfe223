"""One that answers HTTP, one whose full queue makes the kernel drop what knocks, one port nobody has."""

import contextlib
import socket
import socketserver
import ssl
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"ok")

    def do_HEAD(self):
        self.do_GET()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self):
        """Without HTTPServer's own: it asks the nameserver for the name of the address, and ours may be dead."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address


def service(host="127.0.0.1", port=0):
    """Serve HTTP; `server_port` tells where."""
    server = Server((host, port), Answering)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


class SlowTls:
    """Accepts, thinks for `pause` seconds, then shakes hands. `authority`: the file of the CA to trust.

    `named`: whom the certificate is for, if not `host`.
    """

    def __init__(self, host, pause, named="", not_after=None):
        ca = trustme.CA(organization_name="House of Keys")
        self.authority = str(Path(tempfile.mkdtemp(), "ca.pem"))
        ca.cert_pem.write_to_path(self.authority)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(named or host, not_after=not_after).configure_cert(self.context)
        self.pause = pause
        self.listener = socket.create_server((host, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            threading.Thread(target=self.greet, args=(self.listener.accept()[0],), daemon=True).start()

    def greet(self, connection):
        with contextlib.suppress(OSError), connection:
            if connection.recv(1, socket.MSG_PEEK):
                time.sleep(self.pause)
                self.context.wrap_socket(connection, server_side=True).close()


def deaf(host="127.0.0.1", port=0):
    """A listener that accepts nobody and whose queue is full: its kernel drops further SYNs without a word."""
    listener = socket.socket()
    listener.bind((host, port))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    return listener, fillers


def nobody(host="127.0.0.1"):
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]
