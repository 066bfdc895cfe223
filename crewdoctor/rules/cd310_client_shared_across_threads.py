"""Several threads or event loops use one client object that is not made for it.

## What it compares
Calls of one tool with the client objects they used. Error: calls failed in the way a client fails when it is shared (an
http.client connection asked again before it answered, a sqlite3 connection or an asyncio client from another thread or
loop). Warning: one `requests.Session` was seen in two threads at once, in the crew or within one call; or in
crewdoctor's own test with four calls, where the crew has tasks that run side by side. Otherwise that test is a note.
httpx.Client, urllib3's pools and psycopg connections may be shared, and are never named.

## Why it matters
What is shared without a lock mixes answers up, or breaks only under load: fine on a laptop with one input, wrong with
many. crewAI runs tools in threads of its own, and several at once where a model asks for several or tasks are
asynchronous.

## Example
Tool `fetch_invoice`: 3 of 4 calls at once failed with `CannotSendRequest`: one connection, made at import, serves all.

## How to fix
Make the client where it is used, or one per thread: `with requests.Session() as session: ...` in the tool.

## References
- requests issue 2766 and documentation, "Session Objects": not promised to be thread-safe
- CPython documentation: `sqlite3.connect(check_same_thread)`, `http.client`; HTTPX documentation, "Clients"
- crewAI `agents/agent_executor.py`: parallel tool calls in a thread pool
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget import scan_of
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.span import Event, Failure, Span
from crewdoctor.toolcalls import ALONE, TOOL_KEYS, ToolCalls, failure_of, tool_calls, wires
from crewdoctor.waits import unfinished

_STATES = frozenset({"CannotSendRequest", "ResponseNotReady", "CannotSendHeader"})
"""What http.client raises when a connection is asked for a second answer before it gave the first."""
_WORDS = (
    (re.compile(r"created in a thread can only be used in that same thread"), "a sqlite3 connection", "another thread"),
    (re.compile(r"(attached|bound) to a different (event )?loop"), "an asyncio client", "another event loop"),
    (re.compile(r"^Event loop is closed"), "an asyncio client", "an event loop that is gone"),
)
_CLIENTS = {"requests": "requests.Session"}


@rule("CD310", since="0.1", needs=("span:tool.call",), uses=(*TOOL_KEYS, "events:client.shared"))
def client_shared_across_threads(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool: what failed of sharing, else what was seen shared."""
    for calls in tool_calls(evidence):
        broken = [(span, why) for span in calls.every if (why := _sharing(evidence, span))]
        seen = [event for event in evidence.events("client.shared") if event.attrs.get("subject") == calls.tool.subject]
        if broken:
            yield _broken(evidence, calls, broken)
        elif seen:
            yield _shared(evidence, calls, seen)


def _sharing(evidence: Evidence, span: Span) -> str:
    """How a call failed of a client in the wrong hands; empty where it failed of anything else, or not."""
    own = failure_of(evidence, span)
    held = [span.failure, own, *(each.failure for each in wires(evidence, span, "http.request"))]
    for failure in held:
        if failure is not None and (why := _why(failure)):
            return why
    said = str(span.attrs.get("error_text") or "")
    return _why(Failure(own.kind, said)) if said and own is not None and not unfinished(span) else ""


def _why(failure: Failure) -> str:
    names = {each.rpartition(".")[2] for each in (failure.exception, *failure.causes)}
    if names & _STATES:
        return "an http.client connection was asked again before it had answered"
    for pattern, what, where in _WORDS:
        if pattern.search(failure.text):
            return f"{what} was made in {where}"
    return ""


def _broken(evidence: Evidence, calls: ToolCalls, broken: list[tuple[Span, str]]) -> Finding:
    tool = calls.tool
    spans = [span for span, _ in broken]
    at_once = all(int(span.attrs.get("n") or 1) > 1 for span in spans)
    of = calls.loaded if at_once else calls.every
    why = max({why for _, why in broken}, key=[why for _, why in broken].count)
    # The requests beneath belong to it: of two statements about these calls this one knows more.
    beneath = [each.id for span in (*calls.alone, *calls.loaded) for each in wires(evidence, span)]
    ids = (*(each.id for each in spans), *(each.id for each in calls.every), *beneath)
    failed = wording.plural(len(of), "call")
    return Finding(
        code="CD310",
        slug="client_shared_across_threads",
        severity=Severity.ERROR,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=(
            f"Tool `{tool.name}` keeps one client for several threads: {len(spans)} of {failed}"
            f"{' at once' if at_once else ''} failed, {why}."
        ),
        evidence=tuple(dict.fromkeys(ids)),
        location=tool.location,
        fix=Fix("Make the client inside the tool, for each call", _code(evidence, tool.subject)),
        lost=max(span.seconds() for span in spans),
    )


def _shared(evidence: Evidence, calls: ToolCalls, seen: list[Event]) -> Finding:
    tool = calls.tool
    ours = {span.id for span in calls.loaded}
    theirs = [event for event in seen if not (event.step.startswith(f"{ALONE}@") and event.attrs.get("span") in ours)]
    aside = any(task.async_execution for task in evidence.inventory.tasks)
    where = "in the crew" if any(not event.step.startswith(f"{ALONE}@") for event in theirs) else "within one call"
    if not theirs:
        where = "with four calls at once, as tasks with async_execution may" if aside else "with four calls at once"
    first = (theirs or seen)[0]
    entry = next((each for each in scan_of(evidence.recording, tool.subject) if each.client in _CLIENTS), None)
    return Finding(
        code="CD310",
        slug="client_shared_across_threads",
        severity=Severity.WARNING if theirs or aside else Severity.INFO,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=(
            f"Tool `{tool.name}` keeps one {first.attrs.get('client')} for all its calls, and "
            f"{first.attrs.get('threads', 2)} threads used it at once ({where}); it has no lock of its own."
        ),
        evidence=tuple(event.id for event in (theirs or seen)),
        location=entry.location if entry else tool.location,
        fix=Fix("Make the client inside the tool, for each call", _code(evidence, tool.subject)),
        observed=bool(theirs),
    )


def _code(evidence: Evidence, subject: str) -> str:
    clients = {each.client for each in scan_of(evidence.recording, subject)}
    if "sqlite3" in clients:
        return "with contextlib.closing(sqlite3.connect(path)) as book: ...  # in the tool"
    return "with requests.Session() as session: ...  # in the tool"
