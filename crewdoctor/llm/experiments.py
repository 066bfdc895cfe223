"""The experiments on a model's settings: what our server plays, and how long a call is watched. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

CALL = "experiment.call"
"""The span of one call of an experiment."""
LIMIT = 1.0
"""Seconds every written timeout is lowered to, so that whether it holds shows at once."""
RETRY_AFTER = 3
"""Seconds: more than crewAI's first pause (at most 1.2 s), less than anybody's patience."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """One way to fail."""

    name: str
    phase: str
    """Of `model.phase.Phase`."""
    seconds: float
    """Until a call that nothing has ended is left alone."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    told: str = ""
    limit: float = LIMIT
    """Seconds every written timeout stands at, at most."""


EXPERIMENTS = (
    Experiment(
        "429 retry-after",
        "answer",
        9.0,
        429,
        {"retry-after": str(RETRY_AFTER)},
        "answers 429 with Retry-After",
    ),
    Experiment("500", "answer", 9.0, 500, told="answers 500"),
    Experiment("429", "answer", 9.0, 429, told="answers 429"),
    Experiment("request", "request", 6.0, told="accepts a request and stays silent"),
    Experiment("connect", "connect", 6.0, told="accepts no connection"),
    Experiment("tls", "tls", 6.0, told="does not answer the TLS handshake"),
    Experiment("body", "body", 6.0, told="stops in the middle of its answer"),
    Experiment("trickle", "trickle", 6.0, told="sends one byte a second", limit=2.0),
    Experiment("401", "answer", 5.0, 401, told="answers 401"),
)
"""The longest first: what follows fits beside them."""
BY_NAME = {each.name: each for each in EXPERIMENTS}
AGENT = "experiment.agent"
"""The span of one execution of an agent in an experiment."""
AGENT_LIMIT = 1.0
"""Seconds an agent's max_execution_time stands at."""
MODEL_LIMIT = 3.0
"""Seconds its model's timeout stands at: long enough to be told from the agent's."""
AGENT_WATCHED = 8.0
