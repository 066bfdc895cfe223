"""What an experiment showed stands beside the setting, and in the ledger where nobody could read it."""

import importlib.util
from pathlib import Path

from crewdoctor import budget
from crewdoctor.model.setting import UNKNOWN, Seconds
from crewdoctor.settled import settled

_spec = importlib.util.spec_from_file_location("lab_of_proofs", Path(__file__).with_name("test_proofs.py"))
lab = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lab)

UNREAD = lab.setting("timeout.read", UNKNOWN, lab.BY_SDK)
UNCOUNTED = lab.setting("max_retries", None, lab.BY_SDK)


def after(held):
    return {each.name: each for each in settled(held.evidence.recording).inventory.settings}


def test_a_verdict_stands_beside_the_setting():
    told = after(lab.Lab(lab.READ).call("request", [1.1, 1.0, 1.0]))

    assert told["timeout.read"].verdict == "honoured, multiplied by 3"
    assert told["timeout.read"].value == Seconds(30)


def test_what_nobody_could_read_is_what_was_seen():
    held = lab.Lab(UNREAD, UNCOUNTED)
    held.call("request", [6.0], failure=lab.STILL, written=None, in_force=600.0).call("500", [0.1] * 3, written=None)
    told = after(held)

    assert (told["timeout.read"].value, told["timeout.read"].provenance.origin) == (Seconds(600.0), "observed")
    assert told["max_retries"].value == 2
    terms = budget.ledger_of(settled(held.evidence.recording)).terms(lab.LLM)
    assert (terms.read, terms.retries) == (Seconds(600.0), 2)


def test_without_experiments_nothing_changes():
    recording = lab.Lab(lab.READ).evidence.recording
    bare = type(recording)(recording.header, recording.inventory)

    assert settled(bare) is bare
