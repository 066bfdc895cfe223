"""What the report shows of many kickoffs at once."""

from dataclasses import replace

import pytest

from crewdoctor.model.report import Confirmed, Load, LoadLevel
from crewdoctor.report.screen.load import lines, sentences


def level(n, seconds=1.0, **more):
    layers = {"llm": seconds or 9.0, "tool": 0.0, "waiting": 0.0, "rest": 0.0}
    return LoadLevel(n, 2 * n, 0, 0, seconds, seconds, n / seconds if seconds else 0.0, layers, **more)


LOAD = Load("threads", "main.py:3", simulated=False, stopped_by="knee", kept=4, broken=8, saturates=(2, 4))


def told(load):
    class Shown:
        pass

    Shown.load = load
    return ["".join(text for text, _ in each.pieces) for each in lines(Shown, 80)]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, "Every timeout and rate limit held with 4 at once, not with 8."),
        ({"broken": None}, "Every timeout and rate limit held with up to 4 at once."),
        ({}, "From a number between 2 and 4 on, more at once bring no more through."),
        ({"next_limit": "The next limit is X."}, "The next limit is X."),
        ({"stopped_by": "endpoint"}, "It went no further: more would load an endpoint that is not this machine"),
        ({"levels": (level(1, busy=True),)}, "Where it says `busy`, this machine may have been the limit itself"),
    ],
)
def test_the_numbers_a_person_acts_on(changed, sentence):
    assert any(each.startswith(sentence) for each in sentences(replace(LOAD, **changed)))


def test_what_held_is_not_told_where_not_even_one_did():
    assert not any("held" in each for each in sentences(replace(LOAD, kept=0, broken=None, saturates=None)))


@pytest.mark.parametrize(("better", "word"), [(True, "Confirmed: with 8 threads"), (False, "Not confirmed: with 8")])
def test_a_change_that_did_not_help_is_said_to_have_not(better, word):
    held = replace(LOAD, confirmed=Confirmed("8 threads", level(8, 3.0), level(8, 1.1), better=better))

    assert any(each.startswith(word) and "1.1 s each (before: 3.0 s each)" in each for each in sentences(held))


def test_a_line_a_number_its_bar_as_long_as_its_kickoffs_and_what_was_played_says_so():
    shown = told(replace(LOAD, simulated=True, levels=(level(1), level(8, 4.0), level(16, None))))
    one, eight = (next(row for row in shown if row.strip().startswith(f"{n} ")) for n in (1, 8))

    assert eight.count("█") == pytest.approx(4 * one.count("█"), abs=4)
    assert "SIMULATED" in one
    assert any("never" in row for row in shown)
    assert "main.py:3" in "".join(shown)


def test_without_a_ramp_there_is_no_section():
    assert told(None) == []
