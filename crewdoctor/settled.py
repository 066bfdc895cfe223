"""Settings as experiments left them: each with its verdict, and what nobody could read with what was seen. Pure."""

from __future__ import annotations

from dataclasses import replace

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.proof import Proof, Verdict
from crewdoctor.model.recording import Recording
from crewdoctor.model.setting import UNKNOWN, Provenance, Setting
from crewdoctor.proofs import proofs

SEEN = Provenance("observed", "seen in an experiment")
_TOLD = frozenset({Verdict.IN_FORCE, Verdict.UNLIMITED})


def settled(recording: Recording) -> Recording:
    """The recording whose inventory says of each setting what was proved; the same one where nothing was."""
    found = {each.setting: each for each in proofs(Evidence(recording))}
    if not found or recording.inventory is None:
        return recording
    settings = tuple(_settled(each, found.get(each.id)) for each in recording.inventory.settings)
    return replace(recording, inventory=replace(recording.inventory, settings=settings))


def _settled(setting: Setting, proof: Proof | None) -> Setting:
    if proof is None:
        return setting
    unread = setting.value is UNKNOWN or setting.value is None
    if unread and proof.verdict in _TOLD and proof.value is not None:
        return replace(setting, value=proof.value, provenance=SEEN, verdict=proof.words)
    return replace(setting, verdict=proof.words)
