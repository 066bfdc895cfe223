"""`crewdoctor endpoint`: the embedded model alone, misbehaving on demand."""

from __future__ import annotations

from typing import Annotated, Any, Optional

import typer

Text = Optional[str]  # noqa: UP045 - Typer reads it at run time, on Python 3.10 too


def endpoint(
    port: Annotated[int, typer.Option("--port", help="0: any free one.")] = 0,
    first_token: Annotated[str, typer.Option("--first-token", help="Before the first byte: 2s.")] = "0s",  # noqa: S107 - a duration
    inter_token: Annotated[str, typer.Option("--inter-token", help="Between tokens: 50ms.")] = "0s",  # noqa: S107 - a duration
    stall_after: Annotated[
        Optional[int],  # noqa: UP045 - as above
        typer.Option("--stall-after", help="Nothing more after so many tokens."),
    ] = None,
    rate_limit: Annotated[Text, typer.Option("--rate-limit", help="429 above it: 3/min, 10/s.")] = None,
    fault: Annotated[
        Optional[list[str]],  # noqa: UP045 - as above
        typer.Option("--fault", metavar="STATUS:P", help="A status with a probability: 500:0.1; repeatable."),
    ] = None,
    reset: Annotated[float, typer.Option("--reset", help="Probability of a connection reset.")] = 0.0,
    silent: Annotated[bool, typer.Option("--silent", help="Read every request, answer none.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same faults.")] = 0,
) -> None:
    """Serve a model that costs nothing.

    OpenAI-compatible, and in the forms of Anthropic, Gemini, Azure and Bedrock, on 127.0.0.1, until interrupted; it
    misbehaves on demand.
    """
    from crewdoctor.cli import faults
    from crewdoctor.config import seconds
    from crewdoctor.endpoint import server
    from crewdoctor.model.refusal import Refusal

    allowed, period = faults.rate(rate_limit) if rate_limit else (None, 60.0)
    args: dict[str, Any] = {
        "port": port,
        "first_token": seconds(first_token, "--first-token"),
        "inter_token": seconds(inter_token, "--inter-token"),
        "stall_after": stall_after,
        "rate_limit": allowed,
        "rate_period": period,
        "faults": faults.chances(fault or []),
        "reset": reset,
        "silent": 1.0 if silent else 0.0,
        "seed": seed,
    }
    try:
        server.run(args, lambda bound: typer.echo(f"http://127.0.0.1:{bound}/v1"))
    except (ValueError, OverflowError) as error:
        raise Refusal(f"endpoint: {error}") from None
    except OSError as error:
        raise Refusal(f"endpoint: port {port} cannot be bound: {error.strerror}; give another --port") from None
