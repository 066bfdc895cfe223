"""Messages with file descriptors between supervisor and worker: JSON behind a length, over an AF_UNIX stream."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

_HEAD = struct.Struct(">I")
_LARGEST = 1 << 26
_MOST_FDS = 8


class ChannelError(OSError):
    """The other side sent what is no message, or stopped in the middle of one."""


class Channel:
    """One end. Sending and receiving block, for at most `patience` seconds within a message."""

    def __init__(self, sock: socket.socket, patience: float = 5.0) -> None:
        self.socket = sock
        sock.settimeout(patience)

    def fileno(self) -> int:
        """For selectors."""
        return self.socket.fileno()

    def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send one message; the descriptors stay open here. Raises OSError when the other side is gone."""
        body = json.dumps(message, default=repr).encode("ascii")
        whole = memoryview(_HEAD.pack(len(body)) + body)
        sent = socket.send_fds(self.socket, [whole], list(fds)) if fds else self.socket.send(whole)
        self.socket.sendall(whole[sent:])

    def receive(self) -> tuple[dict[str, Any], list[int]] | None:
        """Wait for the next message; None when the other side has closed. Raises ChannelError."""
        try:
            self.socket.setblocking(True)
            head, fds, _, _ = socket.recv_fds(self.socket, _HEAD.size, _MOST_FDS)
            self.socket.settimeout(5.0)
            for fd in fds:
                os.set_inheritable(fd, False)
            if not head:
                return None
            head += self._exactly(_HEAD.size - len(head))
            (length,) = _HEAD.unpack(head)
            if length > _LARGEST:
                raise ChannelError(f"a message of {length} bytes")
            message = json.loads(self._exactly(length))
        except ConnectionError:
            return None
        except (TimeoutError, ValueError) as error:
            raise ChannelError(str(error)) from error
        if not isinstance(message, dict):
            raise ChannelError("a message that is no object")
        return message, list(fds)

    def _exactly(self, length: int) -> bytes:
        held = bytearray()
        while len(held) < length:
            part = self.socket.recv(min(1 << 16, length - len(held)))
            if not part:
                raise ChannelError("closed in the middle of a message")
            held += part
        return bytes(held)

    def close(self) -> None:
        """Close this end."""
        self.socket.close()
