"""Errors that tools tell in words, and answers that merely speak of errors."""

from __future__ import annotations

import json

import pytest

from crewdoctor.worker.answers import error_in


class ToolFailure:
    message = "no such channel"


@pytest.mark.parametrize(
    "output",
    [
        "Error: timed out",
        "error executing tool: HTTPConnectionPool(host='h', port=1): Read timed out.",
        "Error 503 from upstream",
        "Error fetching the page",
        "An error occurred: boom",
        "Unexpected error while searching",
        "ReadTimeoutError(pool=None)",
        "ConnectionError: refused",
        "[Error] nothing",
        "Failed to connect to api",
        "Request timed out.",
        "Traceback (most recent call last):\n  File",
        {"error": "quota"},
        json.dumps({"error": {"message": "quota", "code": 429}}),
        ToolFailure(),
        ValueError("bad"),
    ],
)
def test_an_error_told_in_words_is_found(output):
    assert error_in(output)


@pytest.mark.parametrize(
    "output",
    [
        "",
        "Paris has 2 million inhabitants",
        "Error handling in Python is done with try",
        "Error rates fell by 3 %",
        "Errors are common",
        "The request failed twice, then: 42",
        {"error": None, "rows": []},
        json.dumps({"error": False, "rows": []}),
        "{not json",
        ["Error: in a list"],
        None,
        42,
    ],
)
def test_an_answer_stays_an_answer(output):
    assert error_in(output) == ""


def test_the_text_is_one_short_line():
    assert error_in({"error": {"message": "quota\nexceeded"}}) == "quota exceeded"
    assert error_in(ToolFailure()) == "no such channel"
    assert len(error_in("Error: " + "x" * 5000)) == 300
