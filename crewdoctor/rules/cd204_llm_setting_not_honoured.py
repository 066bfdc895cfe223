"""A setting was written on a model, and crewAI does not hand it to the client that makes the calls.

## What it compares
What somebody wrote on the LLM (`timeout`, `max_retries`, `base_url`) with what the live client of the provider's SDK
holds, read from the client object of the installed version. A setting the client never got is named, with the value
that is in force instead. Where both happen to be equal it is a note. With `--prove` the model, built again with a limit
of a second, is let run into a server of ours that fails: where that ends the call after all, nothing is said.

## Why it matters
crewAI accepts `LLM(model="gemini/...", timeout=30)`, `azure/...` and `bedrock/...` alike without a word, and drops the
limit on the way: Gemini's client then waits for ever, Azure's and Bedrock's for 300 s per read. Whoever wrote the limit
believes to be protected.

## Example
`LLM(model="gemini/gemini-2.5-flash", timeout=30)` at crew.py:9: the google-genai client holds no timeout.

## How to fix
Write the limit where the client reads it: `client_params={"http_options": HttpOptions(timeout=30000)}` for Gemini (in
milliseconds), a client of your own for Azure's chat and for Bedrock; `api="responses"` on Azure honours `timeout`.

## References
- crewAI 1.15.30 `llms/providers/gemini/completion.py`, `azure/completion.py` (`_make_client_kwargs`),
  `bedrock/completion.py` (`_build_sync_client`): what each client is built with
- google-genai `types.HttpOptions.timeout`; azure-core `ConnectionConfiguration`; botocore `Config`
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.bounded_models import bounded_model
from crewdoctor.dropped import Dropped, dropped
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.proof import Proof, Verdict
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Seconds, Setting, SettingValue
from crewdoctor.proofs import PROOF_KEYS, proof_of, proved

_IN_FORCE = {"timeout": "timeout.read", "api_base": "base_url"}


@rule(
    "CD204",
    since="0.1",
    needs=("inventory",),
    uses=("setting:llm.timeout.read", "setting:llm.max_retries", *PROOF_KEYS),
)
def llm_setting_not_honoured(evidence: Evidence) -> Iterator[Finding]:
    """One finding per dropped keyword of a model."""
    models = {llm.subject: llm for llm in evidence.inventory.llms}
    for each in dropped(evidence, "llm"):
        llm = models.get(each.setting.subject)
        proof = proof_of(evidence, each.setting)
        if llm is not None and (proof is None or proof.verdict is Verdict.IGNORED):
            yield _finding(evidence, each, llm, proof)


def _finding(evidence: Evidence, each: Dropped, llm: LlmEntry, proof: Proof | None) -> Finding:
    setting = each.setting
    held = _in_force(evidence, each, llm)
    asked: SettingValue = Seconds(each.seconds) if each.seconds is not None else setting.value
    both = (
        held is not None and each.seconds is not None and (isinstance(held.value, Seconds) or held.value is UNLIMITED)
    )
    same = held is not None and asked == held.value
    seconds = each.seconds if each.seconds is not None else 60
    return Finding(
        code="CD204",
        slug="llm_setting_not_honoured",
        severity=_severity(each, same=same, known=held is not None and held.value is not UNKNOWN),
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"`LLM({each.written})` ({setting.provenance.where}) of {llm.subject} ({llm.model}) has no effect: "
            f"{setting.note}{_instead(each, held)}.{proved(proof)}"
        ),
        evidence=tuple(dict.fromkeys((setting.id, *((held.id,) if held else ()), *(proof.evidence if proof else ())))),
        measured=Quantity("timeout in force", held.value, where=held.provenance.where)
        if both and held is not None
        else None,
        limit=Quantity(each.name, Seconds(each.seconds), where=f"{setting.provenance.where}, dropped")
        if both and each.seconds is not None
        else None,
        location=setting.provenance.location,
        fix=Fix("Write it where the client reads it", bounded_model(llm, f"{seconds:g}")),
        depends_on=(llm.endpoint,) if llm.endpoint else (),
        observed=False,
    )


def _severity(each: Dropped, *, same: bool, known: bool) -> Severity:
    """An error where a limit of time is lost for sure; what is in force by chance is no harm."""
    if same or not (each.limits or each.name in _IN_FORCE.values() or each.name in _IN_FORCE):
        return Severity.INFO
    return Severity.ERROR if each.timed and known else Severity.WARNING


def _in_force(evidence: Evidence, each: Dropped, llm: LlmEntry) -> Setting | None:
    name = "timeout.read" if each.timed else each.name
    return evidence.setting("llm", _IN_FORCE.get(each.name, name), llm.subject)


def _instead(each: Dropped, held: Setting | None) -> str:
    if held is None or held.value is UNKNOWN:
        return ""
    if held.value is UNLIMITED:
        return f"; in force is no limit at all ({held.provenance.where})"
    shown = wording.limit(held.value) if each.timed and isinstance(held.value, Seconds) else str(held.value)
    return f"; in force is {held.name}={shown} ({held.provenance.where})"
