"""Where a server of ours stops playing along: the phases of an experiment."""

from __future__ import annotations

from enum import Enum


class Phase(str, Enum):
    """What the server that every connection is led to does."""

    LOOKUP = "lookup"
    """Names are not resolved: the nameserver says nothing."""
    CONNECT = "connect"
    """Connections are not accepted: packets are dropped, nothing is refused."""
    TLS = "tls"
    """Accepted, and the handshake is not answered."""
    REQUEST = "request"
    """The request is read and never answered."""
    BODY = "body"
    """The answer begins and stops in its middle."""
    TRICKLE = "trickle"
    """The answer comes at one byte a second."""
    ANSWER = "answer"
    """A whole answer; status, headers and body are the caller's."""


STALLS = (Phase.LOOKUP, Phase.CONNECT, Phase.TLS, Phase.REQUEST, Phase.BODY)
"""The phases of a stall test, in the order a call goes through them."""
