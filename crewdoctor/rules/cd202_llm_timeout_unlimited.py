"""The model's client waits for an answer without any limit.

## What it compares
The read timeout in force on the live client of every model. UNLIMITED is a value read from that object, not the
absence of one. Where somebody wrote it, it is a warning; where a library's default makes it so, a note. With `--prove`
the model, built again, is let run into a server of ours that stays silent: where something ends that after all, nothing
is said.

## Why it matters
A provider that accepts a request and stays silent then holds the crew for ever: no retry begins, no error is raised,
and `max_execution_time` interrupts nothing. The SDK's own default of 600 s is overridden by an explicit None.

## Example
`LLM(model="openai/gpt-4o", client_params={"timeout": None})`; crewAI 1.15 passes `timeout=None` to Anthropic's client
when nobody sets one, and Gemini's has none.

## How to fix
Say how long an answer may take: `LLM(model=..., timeout=60, max_retries=1)`. For Gemini:
`client_params={"http_options": HttpOptions(timeout=60_000)}`, in milliseconds.

## References
- httpx documentation, "Timeouts": None disables them
- crewAI `llms/providers/anthropic/completion.py`; google-genai `_api_client.py`
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.bounded_models import bounded_model
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.proof import Verdict
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import UNLIMITED
from crewdoctor.proofs import PROOF_KEYS, proof_of, proved


@rule("CD202", since="0.1", needs=("setting:llm.timeout.read",), uses=PROOF_KEYS)
def llm_timeout_unlimited(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model nothing ends."""
    for llm in evidence.inventory.llms:
        setting = evidence.setting("llm", "timeout.read", llm.subject)
        if setting is None or setting.value is not UNLIMITED:
            continue
        proof = proof_of(evidence, setting)
        if proof is not None and proof.verdict is not Verdict.UNLIMITED:
            continue
        others = len(set(llm.users) - {llm.subject})
        shared = f" (and {wording.plural(others, 'other user')} of it)" if others else ""
        yield Finding(
            code="CD202",
            slug="llm_timeout_unlimited",
            severity=Severity.WARNING if setting.written else Severity.INFO,
            layer=Layer.LLM,
            subject=llm.subject,
            message=(
                f"The client of {llm.subject} ({llm.model}){shared} has no read timeout ({setting.provenance.where}): "
                f"a provider that accepts a request and stays silent holds the crew for ever.{proved(proof)}"
            ),
            evidence=(setting.id, *(proof.evidence if proof else ())),
            location=setting.provenance.location,
            fix=Fix("Say how long an answer may take", bounded_model(llm, 60)),
            depends_on=(llm.endpoint,) if llm.endpoint else (),
            observed=False,
        )
