"""How long each retry policy sleeps between attempts, at most. Each formula names its source.

Jitter is taken at its longest; a `Retry-After` of the server replaces a sleep and is no part of these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Sleeps that grow: `first x growth^i`, none longer than `longest`. All in seconds."""

    first: float
    growth: float = 2.0
    longest: float = math.inf
    free: int = 0
    """Retries at the beginning that are made at once."""
    shortest: float = 0.0

    def sleeps(self, retries: int) -> float:
        """Seconds slept in all before so many retries; infinite where they grow beyond any number."""
        return sum(self._sleep(retry) for retry in range(max(0, retries)))

    def _sleep(self, retry: int) -> float:
        if retry < self.free:
            return 0.0
        try:
            grown = self.first * self.growth ** (retry if self.free == 0 else retry - self.free + 1)
        except OverflowError:
            grown = math.inf if self.first else 0.0
        return max(self.shortest, min(grown, self.longest))


NO_BACKOFF = Backoff(0.0)
SDK = Backoff(0.5, longest=8.0)
"""openai 2.54 `_constants.py`, `_base_client._calculate_retry_timeout`; anthropic 0.73 has the same code. Up to a
quarter of each sleep is taken off."""
BOTOCORE = Backoff(1.0, longest=20.0)
"""botocore 1.43 `retries/standard.py` `ExponentialBackoff`, modes standard and adaptive: random() x min(2^i, 20)."""
BOTOCORE_LEGACY = Backoff(1.0)
"""botocore 1.43 `retryhandler.delay_exponential`, the mode of a client told nothing: random() x 2^i, without an end."""


def urllib3_backoff(factor: float, longest: float = 120.0) -> Backoff:
    """urllib3 2.8 `Retry.get_backoff_time`: the first retry at once, then factor x 2^i, at most `backoff_max`."""
    return Backoff(factor, longest=longest, free=1)


def of_provider(provider: str) -> Backoff:
    """The sleeps of the SDK crewai calls for a provider, as the inventory names it."""
    return BOTOCORE if provider == "bedrock" else SDK
