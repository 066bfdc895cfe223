"""Nobody set a timeout for the model: the SDK's own, and its retries, decide.

## What it compares
Nothing with nothing: no limit was written. It computes what the defaults in force add up to when the provider accepts
a request and stays silent: (retries + 1) attempts of the read timeout, the backoff between them, and as many
executions of the task as `max_retry_limit` allows. With `--prove` the limit is read at the wire as well, where a model
built again waits for a server of ours that stays silent.

## Why it matters
On the defaults of openai and crewAI 1.15 that is nine attempts of 600 s: 90 minutes of silence before an exception.
No public crew file we know sets an LLM timeout, so this is exposure, not a fault: it is a note, never a finding.

## Example
`LLM(model="openai/gpt-4o")`: 3 executions of (3 attempts of 600 s + 1.5 s backoff) = 5404.5 s.

## How to fix
Write down how long an answer may take, and how often to ask again: `LLM(model=..., timeout=60, max_retries=1)`.

## References
- openai-python `_constants.py`: DEFAULT_TIMEOUT 600 s, DEFAULT_MAX_RETRIES 2, INITIAL_RETRY_DELAY 0.5 s
- crewAI `agent/core.py`: max_retry_limit 2
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.bounded_models import bounded_model
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.proofs import PROOF_KEYS, proof_of, proved


@rule("CD203", since="0.1", needs=("setting:llm.timeout.read", "ledger"), uses=PROOF_KEYS)
def llm_timeout_default_of_sdk(evidence: Evidence) -> Iterator[Finding]:
    """One note for all models whose timeout nobody wrote: a crew's models mostly share their defaults."""
    bare = [
        (llm, setting, terms)
        for llm in evidence.inventory.llms
        if llm.known
        and (setting := evidence.setting("llm", "timeout.read", llm.subject)) is not None
        and not setting.written
        and isinstance(setting.value, Seconds)
        and (terms := evidence.ledger.terms(llm.subject)) is not None
        and isinstance(terms.task, Seconds)
    ]
    if not bare:
        return
    llm, setting, terms = max(bare, key=lambda each: each[2].task.value)
    proof = proof_of(evidence, setting)
    others = f" (and {wording.plural(len(bare) - 1, 'other model')})" if bare[1:] else ""
    yield Finding(
        code="CD203",
        slug="llm_timeout_default_of_sdk",
        severity=Severity.INFO,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"No timeout is set for {llm.subject}{others}: if the provider goes silent, the crew waits "
            f"{wording.seconds(terms.task.value)} = {terms.formula} ({setting.provenance.where}).{proved(proof)}"
        ),
        evidence=tuple(dict.fromkeys((*(each[1].id for each in bare), *(proof.evidence if proof else ())))),
        fix=Fix("Say how long an answer may take", bounded_model(llm, 60)),
        observed=False,
    )
