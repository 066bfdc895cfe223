"""Where in the stack an operation, a probe or a finding lives."""

from __future__ import annotations

from enum import Enum


class Layer(str, Enum):
    """The layers of a crew, lowest first. Concurrency is a dimension of a span, not a layer."""

    SETTINGS = "settings"
    NETWORK = "network"
    LLM = "llm"
    TOOL = "tool"
    AGENT = "agent"
    CREW = "crew"
    ENVIRONMENT = "environment"

    @property
    def rank(self) -> int:
        """Height above the ground: ties between findings go to the lower layer."""
        return tuple(Layer).index(self)
