"""Amazon's event stream: the binary frames a streamed answer of Bedrock comes in.

A frame: its length, the headers' length, the CRC of these; headers (name, type 7, text); payload; the CRC of it all.
"""

from __future__ import annotations

import json
import struct
from binascii import crc32
from typing import Any

MEDIA_TYPE = "application/vnd.amazon.eventstream"
_TEXT = 7
_OVERHEAD = 16


def event(kind: str, payload: dict[str, Any]) -> bytes:
    """One event of a stream."""
    return _frame({":message-type": "event", ":event-type": kind, ":content-type": "application/json"}, payload)


def _frame(headers: dict[str, str], payload: dict[str, Any]) -> bytes:
    named = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", len(named) + len(body) + _OVERHEAD, len(named))
    frame = prelude + struct.pack(">I", crc32(prelude)) + named + body
    return frame + struct.pack(">I", crc32(frame))


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", _TEXT, len(value)) + value
