"""The server every connection of an experiment is led to: a process of its own, told over a pipe what to play.

Standard library alone: it runs in the interpreter that holds the crew, in the network the experiment runs in. Orders
and reports are JSON lines. It ends when the pipe does.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import threading
import time
from typing import Any

from crewdoctor.endpoint.authority import Authority
from crewdoctor.endpoint.conversing import Conversation, Play
from crewdoctor.endpoint.names_served import Names
from crewdoctor.model.phase import Phase

_DNS = 53
_BACKLOG, _FILLERS = 512, 3


class Stage:
    """Listeners, conversations, and what is being played."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._authority, self._names = Authority(), Names()
        self._play = Play()
        self._saying = threading.Lock()
        self._listeners: dict[int, socket.socket] = {}
        self._manners: dict[int, int] = {}
        """Port → the port whose protocol is spoken there."""
        self._fillers: list[socket.socket] = []
        self._selector = selectors.DefaultSelector()
        self._count = 0
        self._addresses: tuple[str, ...] = ()
        """Literal addresses that are led here from elsewhere."""

    def run(self) -> None:
        """Take orders and connections until the pipe ends."""
        self._selector.register(self._control, selectors.EVENT_READ)
        with self._control.makefile("r", encoding="utf-8") as orders:
            while True:
                for key, _ in self._selector.select():
                    if key.fileobj is self._control:
                        line = orders.readline()
                        if not line:
                            return
                        self._obey(json.loads(line))
                    elif key.data is None:
                        self._look_up(key.fileobj)
                    else:
                        self._accept(key.fileobj, key.data)

    # --- orders --------------------------------------------------------------------------------------------------

    def _obey(self, order: dict[str, Any]) -> None:
        answer: dict[str, Any] = {}
        try:
            if order["do"] == "listen":
                answer["port"] = self._listen(int(order["port"]), str(order["host"]), int(order.get("as") or 0))
            elif order["do"] == "names":
                self._serve_names(str(order["host"]))
            elif order["do"] == "stand for":
                self._addresses += (str(order["address"]),)
            elif order["do"] == "play":
                self._plays(order)
            else:
                answer["pem"] = self._authority.pem
        except OSError as error:
            answer["error"] = str(error)
        self._say("answer", **answer)

    def _listen(self, port: int, host: str, intended: int) -> int:
        """Listen on a port, 0 for any; `intended` is the one whose manners are asked for."""
        if port and port in self._listeners:
            return port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        bound = int(listener.getsockname()[1])
        self._listeners[bound] = listener
        self._manners[bound] = intended or bound
        self._selector.register(listener, selectors.EVENT_READ, bound)
        if self._play.phase is Phase.CONNECT:
            self._deafen(listener)
        return bound

    def _serve_names(self, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.bind((host, _DNS))
        self._selector.register(server, selectors.EVENT_READ, None)

    def _plays(self, order: dict[str, Any]) -> None:
        headers = {str(name): str(value) for name, value in (order.get("headers") or {}).items()}
        before = self._play.phase
        body = str(order.get("body", "{}")).encode()
        self._play = Play(Phase(order["phase"]), int(order.get("status", 200)), headers, body)
        for port, listener in self._listeners.items():
            if self._play.phase is Phase.CONNECT and before is not Phase.CONNECT:
                self._deafen(listener)
            elif before is Phase.CONNECT and self._play.phase is not Phase.CONNECT:
                listener.listen(_BACKLOG)
                self._selector.register(listener, selectors.EVENT_READ, port)

    def _deafen(self, listener: socket.socket) -> None:
        """Accept no more, and let the kernel drop who knocks: its queue is made short, and filled."""
        self._selector.unregister(listener)
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(_FILLERS):
            filler = socket.socket(listener.family, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex(("::1" if listener.family == socket.AF_INET6 else "127.0.0.1", port))
            self._fillers.append(filler)

    # --- connections ---------------------------------------------------------------------------------------------

    def _accept(self, listener: Any, port: int) -> None:
        with contextlib.suppress(OSError):
            connection, peer = listener.accept()
            if any(each.getsockname()[1] == peer[1] for each in self._fillers):
                connection.close()
                return
            connection.setblocking(True)
            self._count += 1
            number = self._count
            address, reached = connection.getsockname()[:2]
            conversation = Conversation(connection, self._manners[port], lambda: self._play, self._authority)
            address = address.removeprefix("::ffff:")
            conversation.addresses = self._addresses or (address,)
            conversation.host = "" if self._addresses else self._names.name_of(address)
            conversation.tell = lambda what, **more: self._say(what, n=number, **more)
            self._say("accepted", n=number, host=conversation.host, port=reached)
            threading.Thread(target=conversation.run, daemon=True).start()

    def _look_up(self, server: Any) -> None:
        with contextlib.suppress(OSError):
            query, peer = server.recvfrom(2048)
            self._say("lookup", n=0)
            answer = self._names.answer(query)
            if answer and self._play.phase is not Phase.LOOKUP:
                server.sendto(answer, peer)

    def _say(self, what: str, **more: Any) -> None:
        line = json.dumps({"what": what, "at": time.monotonic(), **more}) + "\n"
        with self._saying, contextlib.suppress(OSError):
            self._control.sendall(line.encode())


def main(descriptor: int) -> None:
    """Serve whoever holds the other end of the socket pair."""
    with socket.socket(fileno=descriptor) as control:
        Stage(control).run()
