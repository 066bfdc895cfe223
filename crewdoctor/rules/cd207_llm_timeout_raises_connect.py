"""A timeout written for the model is spent on connecting as well: a host that is gone is noticed that late.

## What it compares
Connects to a model's host that ran into their timeout, with the `timeout` somebody wrote for the model and with the 5 s
the SDK allows a connect where nothing is written.

## Why it matters
`LLM(timeout=120)` is meant for slow answers. As one number it is the connect timeout too: each address that drops
packets costs two minutes, times the SDK's attempts, times the agent's; with the SDK's own default that is 5 s.

## Example
`LLM(timeout=60)`: three connects to 10.1.2.3:8000 waited 60 s each where 5 s would have told the same.

## How to fix
Give each phase its own limit: `client_params={"timeout": httpx.Timeout(60, connect=5)}`.

## References
- httpx documentation, "Timeouts": one number is all four
- openai-python `_constants.py`: `DEFAULT_TIMEOUT = httpx.Timeout(timeout=600, connect=5.0)`
- crewAI `llms/providers/openai/completion.py`: `timeout` is a number, handed on as it is (1.15.30)
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds, Setting
from crewdoctor.model.span import FailureKind, Span

SDK_CONNECT = 5.0
"""Seconds openai 2.54 and anthropic 0.73 allow a connect where nothing is written."""
FACTOR = 2.0
"""Ours: less than twice that is no difference worth a word."""


@rule(
    "CD207",
    since="0.1",
    needs=("span:tcp.connect", "setting:llm.timeout.connect"),
    uses=("setting:llm.timeout.read", "inventory"),
)
def llm_timeout_raises_connect(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model whose host let a connect run into the timeout written for answers."""
    for llm in evidence.inventory.llms:
        connect = evidence.setting("llm", "timeout.connect", llm.subject)
        read = evidence.setting("llm", "timeout.read", llm.subject)
        if connect is None or read is None or not connect.written or connect.value != read.value:
            continue
        if not isinstance(connect.value, Seconds) or connect.value.value < FACTOR * SDK_CONNECT:
            continue
        limit = connect.value.value
        subjects = {llm.subject, *llm.users}
        lost = [
            span
            for span in evidence.spans("tcp.connect")
            if span.subject in subjects
            and span.failure is not None
            and span.failure.kind is FailureKind.TIMEOUT_CONNECT
            and span.seconds() >= min(limit, FACTOR * SDK_CONNECT)
        ]
        if lost:
            yield _finding(llm, connect, lost, limit)


def _finding(llm: LlmEntry, connect: Setting, lost: list[Span], limit: float) -> Finding:
    where = connect.provenance.where
    longest = max(lost, key=Span.seconds)
    host = f"{longest.attrs.get('host', '')}:{longest.attrs.get('port', '')}"
    return Finding(
        code="CD207",
        slug="llm_timeout_raises_connect",
        severity=Severity.WARNING,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"{wording.plural(len(lost), 'connect')} to {host} waited up to {wording.seconds(longest.seconds())}: the "
            f"timeout of {wording.exact(limit)} written for {llm.subject} ({where}) is the connect's too, which by "
            f"itself is {wording.exact(SDK_CONNECT)}."
        ),
        evidence=(connect.id, *(span.id for span in lost)),
        measured=Quantity("connect", Seconds(round(longest.seconds(), 3)), n=len(lost)),
        limit=Quantity("connect timeout of the SDK", Seconds(SDK_CONNECT), where="where nothing is written"),
        location=connect.provenance.location,
        fix=Fix(
            "Give connecting a limit of its own",
            f'LLM(..., client_params={{"timeout": httpx.Timeout({limit:g}, connect=5)}})',
        ),
        lost=sum(span.seconds() - SDK_CONNECT for span in lost),
        host=host,
        depends_on=(llm.endpoint,) if llm.endpoint else (),
    )
