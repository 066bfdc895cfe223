"""What the embedded endpoint is asked to do wrong, and which tools it leaves alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """Behaviour of one endpoint. Every probability lies in 0..1 and is drawn from `seed`, request by request."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any free one."""
    seed: int = 0
    models: tuple[str, ...] = ("gpt-4.1-mini", "gpt-4o", "gpt-4o-mini", "text-embedding-3-small")
    """What `/v1/models` lists. Any other model is answered just the same."""
    first_token: float = 0.0
    """Seconds before the first byte of an answer."""
    inter_token: float = 0.0
    """Seconds between tokens of an answer; an answer that is not streamed takes their sum."""
    stall_after: int | None = None
    """After so many tokens nothing more comes, ever; the connection stays open."""
    rate_limit: int | None = None
    """Requests allowed per `rate_period`; those above it get 429 with Retry-After."""
    rate_period: float = 60.0
    """Seconds."""
    retry_after: float | None = None
    """Seconds named in Retry-After; None: until the window has room."""
    faults: dict[str, float] = field(default_factory=dict)
    """Status -> probability: `{"500": 0.1}`."""
    reset: float = 0.0
    """Probability that the connection is reset (RST) instead of answered."""
    silent: float = 0.0
    """Probability that a request is read and never answered."""
    blocked_tools: tuple[str, ...] = ()
    """Tools never called: they may change the world and nobody gave their arguments."""
    tool_arguments: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Arguments to call a tool with instead of invented ones."""
    embedding_size: int = 1536
    """Numbers in a vector, unless the request asks for other `dimensions`."""

    @classmethod
    def read(cls, args: Mapping[str, Any]) -> EndpointOptions:
        """Read JSON arguments. Raises ValueError naming an unknown or ill-typed one."""
        known = {each.name for each in dataclasses.fields(cls)}
        unknown = sorted(set(args) - known)
        if unknown:
            raise ValueError(f"the endpoint has no option {unknown[0]!r}; it has {', '.join(sorted(known))}")
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in args.items()
        }
        options = cls(**given)
        for name, chance in (("reset", options.reset), ("silent", options.silent), *options.faults.items()):
            if not 0 <= chance <= 1:
                raise ValueError(f"{name}: a probability lies between 0 and 1, not {chance}")
        return options

    def blocks(self, tool: str) -> bool:
        """Whether `tool` must never be called; names are compared as model providers spell them."""
        return spelled(tool) in {spelled(name) for name in self.blocked_tools}

    def given(self, tool: str) -> dict[str, Any] | None:
        """Return the arguments somebody gave for `tool`."""
        for name, arguments in self.tool_arguments.items():
            if spelled(name) == spelled(tool):
                return arguments
        return None


def spelled(tool: str) -> str:
    """Reduce a tool's name to what survives every provider's spelling: letters and digits, lower case."""
    return "".join(letter for letter in tool.lower() if letter.isalnum())
