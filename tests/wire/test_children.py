"""Processes of a recorded program within the spans they were started in."""

from dataclasses import replace

import pytest

from crewdoctor.model.layer import Layer
from crewdoctor.model.span import Event, Span
from crewdoctor.wire.children import adopted

CALL = Span("7.1", "crew.kickoff@7", "tool.call", 1.0, None, Layer.TOOL, "tool:t", None, None, {})
ASKED = Span("9.1", "crew.kickoff@9", "http.request", 2.0, 3.0, Layer.CREW, "", None, None, {})
WITHIN = replace(ASKED, id="9.2", parent="9.1")


def started(pid, at=1.5, span="7.1"):
    return Event("7.2", "crew.kickoff@7", "process.started", at, {"pid": pid, "span": span})


def facts(**told):
    return {"crew.kickoff@9": {"program": {"pid": 9, "parent": 7, **told}}}


@pytest.mark.parametrize(
    ("events", "told"),
    [([started(9)], {}), ([], {"within": "7.1"}), ([started(8)], {"parent": 8})],
    ids=["told by its parent", "forked", "beneath a shell"],
)
def test_the_outermost_spans_of_a_child_lie_where_it_was_started_and_belong_to_whom_that_does(events, told):
    call, asked, within = adopted([CALL, ASKED, WITHIN], events, facts(**told), {"crew.kickoff@9": 1.6})

    assert (call, within) == (CALL, WITHIN)
    assert (asked.parent, asked.subject, asked.layer) == ("7.1", "tool:t", Layer.TOOL)


@pytest.mark.parametrize(
    ("events", "told"),
    [([], {}), ([started(9, at=50.0)], {}), ([started(9, span="7.99")], {}), ([], {"within": "5.1"})],
    ids=["nobody said", "another one of that number", "a span that was left out", "no such span"],
)
def test_a_child_nobody_can_place_stays_on_its_own(events, told):
    assert adopted([CALL, ASKED], events, facts(**told), {"crew.kickoff@9": 1.6}) == [CALL, ASKED]


def test_what_has_an_owner_of_its_own_keeps_it():
    own = replace(ASKED, name="tool.call", subject="tool:u", layer=Layer.TOOL)
    (_, kept) = adopted([CALL, own], [started(9)], facts(), {"crew.kickoff@9": 1.6})

    assert (kept.parent, kept.subject) == ("7.1", "tool:u")
