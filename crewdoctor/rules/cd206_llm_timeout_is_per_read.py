"""The model's timeout bounds each wait for bytes, and a streamed answer took longer than it.

## What it compares
Streamed calls of a model made with the user's own settings that ended well, with the `timeout` somebody wrote for it:
the call as a whole took longer, and no single wait within it did.

## Why it matters
`LLM(timeout=10)` reads as "no call takes longer than ten seconds". It is the longest silence that is allowed: an answer
that trickles, a token every nine seconds, goes on for as long as the provider likes, and the agent with it. A gap
beyond it ends the call in the middle of the answer, and the SDK does not send a stream that began again.

## Example
`LLM(timeout=3, stream=True)`: an answer took 9.4 s, in pieces never more than 0.4 s apart.

## How to fix
Bound the whole from outside what waits: the process that runs the crew, or the platform (`--outer`). Limit what is said
(`max_tokens`). Keep the timeout for what it does: it ends silence.

## References
- httpx documentation, "Timeouts": read is the longest wait for a chunk
- openai-python `_streaming.py`
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.calls import as_the_crew, attempts
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds, Setting
from crewdoctor.model.span import Span

LONGER = 1.5
"""Ours: from this factor on it is no rounding."""


@rule(
    "CD206",
    since="0.1",
    needs=("span:llm.call", "setting:llm.timeout.read"),
    uses=("span:http.request", "inventory"),
)
def llm_timeout_is_per_read(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model: its longest streamed call."""
    for llm in evidence.inventory.llms:
        setting = evidence.setting("llm", "timeout.read", llm.subject)
        if setting is None or not setting.written or not isinstance(setting.value, Seconds):
            continue
        limit = setting.value.value
        longer = [
            each.call
            for each in attempts(evidence, llm)
            if as_the_crew(each)
            and each.ok
            and each.stream
            and each.call.failure is None
            and not each.call.open
            and each.latency is not None
            and each.latency <= limit
            and each.seconds > LONGER * limit
        ]
        if longer:
            yield _finding(setting, max(longer, key=Span.seconds), len({each.id for each in longer}))


def _finding(setting: Setting, call: Span, count: int) -> Finding:
    where = setting.provenance.where
    return Finding(
        code="CD206",
        slug="llm_timeout_is_per_read",
        severity=Severity.WARNING,
        layer=Layer.LLM,
        subject=setting.subject,
        message=(
            f"A streamed answer of {setting.subject} took {wording.seconds(call.seconds())} under a timeout of "
            f"{wording.limit(setting.value)} ({where}): it bounds each wait for bytes, never the whole call."
        ),
        evidence=(call.id, setting.id),
        measured=Quantity("streamed call", Seconds(round(call.seconds(), 3)), n=count),
        limit=Quantity("timeout", setting.value, where=where),
        location=setting.provenance.location,
        fix=Fix("Bound what is said, and the whole from outside", "LLM(..., max_tokens=1000)"),
        observed=True,
    )
