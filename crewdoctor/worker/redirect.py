"""Leads every connection of this process to a server of ours: real host names, verification on, nothing reaches anyone.

Two ways, one face. In a network namespace without a way out (`namespace.py`) every address is local, for C code and
child processes as well; here only the port is made sure of. Without one, Python's own ways are led (`points.py`) and
whatever would go past them is refused at CPython's border by an audit hook: the experiment is then void, not the world
changed. A canary request proves it before anything of the user's runs. There is no way back: the process is spent.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import ssl
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from crewdoctor.model.phase import Phase
from crewdoctor.model.probe import CannotProbe
from crewdoctor.net import resolv_conf
from crewdoctor.worker import namespace
from crewdoctor.worker.points import switch
from crewdoctor.worker.prompter import Prompter

CANARY_HOST = "canary.crewdoctor.invalid"
"""Nobody's, for ever (RFC 6761)."""
USUAL_PORTS = (25, 80, 443, 465, 587, 1433, 1883, 3306, 5432, 5672, 6333, 6379, 8000, 8080, 8443, 9092, 9200, 27017)
"""Where C code and children may connect to: Python's own ports are made sure of one by one."""
_C_CLIENTS = (
    *("grpc", "psycopg2", "psycopg_c", "psycopg_binary", "MySQLdb", "oracledb", "pyodbc", "lancedb"),
    *("pycares", "pycurl", "curl_cffi", "primp", "confluent_kafka"),
)
"""Modules whose connections Python does not see."""
_AUTHORITIES = ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
_PROGRAMS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn"})
_ANY, _MAIL = "", "mail"
_MAIL_PORTS = frozenset({25, 465, 587, 2525})
_CANARY_WITHIN = 5.0
_DESCRIPTORS = 4096


class Outside(OSError):  # noqa: N818 - a verdict about the experiment
    """Something would have gone past the redirect; it was refused, and the experiment proves nothing."""


class Redirect:
    """The lead of this process, and what its server heard."""

    def __init__(self, *, isolated: bool) -> None:
        """`isolated`: this process is in a network of its own."""
        self.isolated, self.own_names = isolated, not isolated
        self.prompter = Prompter()
        self.outside: list[str] = []
        """What would have gone past us."""
        self.phase = Phase.ANSWER
        self._trusted: list[Any] = []
        self._names: dict[str, str] = {}
        self._stood_for: set[str] = set()
        self._ports: dict[int | str, int] = {}
        self._pem = ""
        self._file: Path | None = None

    # --- what `points.py` asks -----------------------------------------------------------------------------------

    def target(self, sock: Any, address: Any) -> Any:
        """Return where `sock` shall connect to. Raises Outside for a socket file."""
        if sock.family not in {socket.AF_INET, socket.AF_INET6}:
            if sock.family == getattr(socket, "AF_UNIX", None) and address in _own_files():
                return address
            raise self._refused(f"a connection to {str(address)[:80]}")
        datagram = not sock.type & socket.SOCK_STREAM
        if self.isolated:
            if not datagram:
                self._listening(int(address[1]))
            return address
        if datagram:
            raise self._refused(f"a datagram to {address[0]}:{address[1]}")
        if address[0] not in self._stood_for:
            self._stood_for.add(address[0])
            self.prompter.ask("stand for", address=address[0])
        port = self._ports[_MAIL if int(address[1]) in _MAIL_PORTS else _ANY]
        return ("127.0.0.1", port) if sock.family == socket.AF_INET else ("::ffff:127.0.0.1", port, 0, 0)

    def resolved(self, host: Any) -> Any:
        """Return the address of a name, always the same one; as late, or not at all, as the phase says."""
        if isinstance(host, (bytes, bytearray)):
            host = bytes(host).decode("ascii", "replace")
        if not host or _literal(host):
            return host
        if self.phase is Phase.LOOKUP:
            known = resolv_conf.read()
            time.sleep(known.timeout * known.attempts * len(known.nameservers))
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self._names.setdefault(host, f"192.88.99.{1 + len(self._names) % 254}")

    def trusting(self, context: Any) -> None:
        """Add our authority to those a context trusts, once."""
        if not any(known is context for known in self._trusted):
            self._trusted.append(context)
            with suppress(ssl.SSLError):  # its own kind of store: the handshake will say
                context.load_verify_locations(cadata=self._pem)

    # --- what a probe asks ---------------------------------------------------------------------------------------

    def play(self, phase: Phase, *, status: int = 200, headers: dict[str, str] | None = None, body: str = "{}") -> None:
        """Play a phase for whatever is asked from now on."""
        self.phase = phase
        self.prompter.ask("play", phase=phase.value, status=status, headers=headers or {}, body=body)

    def listen(self, listener: Callable[[dict[str, Any]], None]) -> None:
        """Tell `listener` what is heard from now on."""
        self.prompter.listener = listener

    def heard(self, what: str = "") -> list[dict[str, Any]]:
        """What the server heard since the canary, of one kind or of all: `what at n`, `host port method`."""
        return [each for each in self.prompter.heard if not what or each["what"] == what]

    def end(self) -> None:
        """End the server; whatever is led from now on is refused."""
        self.prompter.end()
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    # --- beginning -----------------------------------------------------------------------------------------------

    def begin(self, ports: Iterable[int]) -> None:
        """Start the server, lead, and prove it. Raises CannotProbe."""
        if peer := connected():
            raise CannotProbe(f"a connection to {peer} is open from before, and would not be led")
        if not self.isolated and (seen := [name for name in _C_CLIENTS if name in sys.modules]):
            raise CannotProbe(f"{seen[0]} connects in C, past a redirect, and this system allows no network namespace")
        self._pem = self.prompter.start()
        if self.isolated:
            self._host = "::" if Path("/proc/net/if_inet6").exists() else "0.0.0.0"  # noqa: S104 - our own network
            self.prompter.ask("names", host=self._host)
            for port in dict.fromkeys((*USUAL_PORTS, *ports)):
                self._listening(port)
        else:
            self._host = "127.0.0.1"
            self._ports[_ANY] = self.prompter.ask("listen", port=0, host=self._host)["port"]
            self._ports[_MAIL] = self.prompter.ask("listen", port=0, host=self._host, **{"as": 25})["port"]
        self._trust_elsewhere()
        sys.addaudithook(self._guard)
        switch.lead = self
        self._canary()
        self.prompter.heard.clear()

    def _trust_elsewhere(self) -> None:
        """C code and child processes read their authorities from files."""
        descriptor, path = tempfile.mkstemp(prefix="crewdoctor-", suffix=".pem")
        with os.fdopen(descriptor, "w") as file:
            file.write(self._pem)
        self._file = Path(path)
        os.environ.update(dict.fromkeys(_AUTHORITIES, path))

    def _listening(self, port: int) -> None:
        if port not in self._ports:
            self._ports[port] = port
            self.prompter.ask("listen", port=port, host=self._host)

    def _canary(self) -> None:
        """Ask a name that nobody has, over verified TLS, for a word of ours."""
        word = secrets.token_hex(8)
        ask = f"GET /crewdoctor-canary HTTP/1.1\r\nHost: {CANARY_HOST}\r\nX-Canary: {word}\r\nConnection: close\r\n\r\n"
        try:
            with (
                socket.create_connection((CANARY_HOST, 443), _CANARY_WITHIN) as plain,
                ssl.create_default_context().wrap_socket(plain, server_hostname=CANARY_HOST) as tls,
            ):
                tls.sendall(ask.encode())
                answer = b""
                while word.encode() not in answer and (more := tls.recv(4096)):
                    answer += more
        except OSError as error:
            raise CannotProbe(f"the redirect does not hold: {error}") from None
        if word.encode() not in answer:
            raise CannotProbe("the redirect does not hold: somebody else answered")

    # --- the border ----------------------------------------------------------------------------------------------

    def _guard(self, event: str, args: tuple[Any, ...]) -> None:
        if self.isolated or switch.lead is not self:
            return
        if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
            sock, address = args[:2]
            ours = isinstance(address, tuple) and address[1] in self._ports.values()
            if sock.family in {socket.AF_INET, socket.AF_INET6} and address is not None and not ours:
                raise self._refused(f"a connection to {address[0]}")
        elif event == "socket.gethostbyaddr":
            raise self._refused("a lookup of an address")
        elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
            host = args[0]
            if host and not _literal(host if isinstance(host, str) else bytes(host).decode("ascii", "replace")):
                raise self._refused(f"a lookup of {host}")
        elif event in _PROGRAMS:
            raise self._refused("a program started")

    def _refused(self, what: str) -> Outside:
        self.outside.append(what)
        return Outside(f"crewdoctor: {what} would have gone past the experiment")


def _own_files() -> set[str]:
    """Socket files this very process listens on: leading it away from itself would break it."""
    inodes = set()
    for link in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):
            inodes.add(str(link.readlink()))
    found = set()
    with suppress(OSError):
        for line in Path("/proc/self/net/unix").read_text(errors="replace").splitlines()[1:]:
            *columns, inode, path = [*line.split(maxsplit=7), ""][:8]
            if f"socket:[{inode}]" in inodes and columns:
                found.add(path)
    return found


def connected() -> str:
    """The peer of a connection this process holds to somewhere; empty where it holds none."""
    for number in range(3, min(_DESCRIPTORS, os.sysconf("SC_OPEN_MAX"))):
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            with socket.socket(fileno=os.dup(number)) as held:
                peer, family = held.getpeername(), held.family
        except OSError:
            continue
        if family in {socket.AF_INET, socket.AF_INET6}:
            return f"{peer[0]}:{peer[1]}"
    return ""


def _literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.replace(".", "").isdigit()
    return True


def redirect(ports: Iterable[int] = ()) -> Redirect:
    """Lead this process from now on. Raises CannotProbe where it cannot be led, or the canary does not come back."""
    if switch.lead is not None:
        raise CannotProbe("this process is led already")
    lead = Redirect(isolated=namespace.entered())
    lead.begin(ports)
    return lead
