"""A tool waits for a database, a queue or a child process, and gave up on a lock or has no limit at all.

## What it compares
Calls of database drivers, queues, futures and child processes found in the tool's own source, with what ends them when
nobody says how long: psycopg, redis, pymysql, pymongo and kafka wait for ever. And the calls that were made: those a
database ended because somebody else held its lock (sqlite3 waits 5 s by default), which is an error. A driver, or a
child process that talks to the network, without a limit is a warning; a queue, a future or a local child is a note,
and so is any of them in a tool whose every call was answered: its service is well today.

## Why it matters
A statement behind somebody's open transaction, an empty queue or a child that waits for input hold the crew as firmly
as a silent server, and nothing on the wire shows it. A lock that is given up on does not fail the crew: its text goes
to the model, which works on without the data.

## Example
`sqlite3.connect("orders.db")` in a tool, while another process writes: `database is locked` after 5.1 s.

## How to fix
Bound the call in the words of its client (`statement_timeout`, `socket_timeout`, `timeout=`); keep transactions short,
and let sqlite readers and writers pass each other with `PRAGMA journal_mode=WAL`.

## References
- CPython documentation: `sqlite3.connect(timeout=5.0)`, `subprocess.run(timeout=None)`, `queue.Queue.get`
- PostgreSQL documentation, `statement_timeout`, `lock_timeout`; redis-py, `socket_timeout`; PyMongo, `timeoutMS`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from crewdoctor import wording
from crewdoctor.budget import NETWORK_CLIENTS, WAITERS, scan_id, scan_of, wire_timeout
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import ScanEntry, ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import UNLIMITED, Seconds
from crewdoctor.model.span import FailureKind, Span
from crewdoctor.remedies import bounded_call
from crewdoctor.toolcalls import TOOL_KEYS, ToolCalls, blocked_by_us, failure_of, served, tool_calls
from crewdoctor.waits import WAIT_KEYS, blocked, unfinished

_LOCAL = WAITERS | {"subprocess"}
"""Waits for something of this machine: a child, another thread, a queue."""


@rule("CD330", since="0.1", needs=("inventory",), uses=(*TOOL_KEYS, *WAIT_KEYS))
def database_or_queue_call_unbounded(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool: the lock it gave up on, else what nothing would end."""
    for calls in tool_calls(evidence):
        entries = scan_of(evidence.recording, calls.tool.subject)
        locked = [span for span in calls.every if _locked(evidence, span)]
        endless = [each for each in entries if each.client not in NETWORK_CLIENTS and _endless(each)]
        bounded = any(each.client in WAITERS and isinstance(wire_timeout(each.timeout), Seconds) for each in entries)
        if locked and not _passed(evidence, calls):
            yield _of_lock(evidence, calls.tool, locked, entries, _still_waiting(evidence, calls))
        elif endless and not bounded:
            yield _unbounded(evidence, calls, min(endless, key=_tame))


def _endless(entry: ScanEntry) -> bool:
    # A DSN may say what the source does not: what it says of timeouts is not read.
    return wire_timeout(entry.timeout) is UNLIMITED and "timeout" not in entry.url.lower()


def _tame(entry: ScanEntry) -> bool:
    """Whether it waits for nobody outside: a note, not a warning."""
    return entry.client in _LOCAL and not entry.program


def _locked(evidence: Evidence, span: Span) -> bool:
    failure = failure_of(evidence, span)
    told = failure is not None and failure.kind is FailureKind.TIMEOUT_LOCK
    return told or (span.attrs.get("error_kind") == FailureKind.TIMEOUT_LOCK.value and not unfinished(span))


def _still_waiting(evidence: Evidence, calls: ToolCalls) -> list[str]:
    """Ids of the same wait where our deadline came before the database gave up."""
    waits = [blocked(evidence, span) for span in calls.every if unfinished(span)]
    return [each for wait in waits if wait.waiting == "lock" for each in wait.ids]


def _passed(evidence: Evidence, calls: ToolCalls) -> bool:
    """Whether the tool also came through: a lock that was busy once, with four at a time, say, is no rule."""
    return any(
        not (unfinished(span) or blocked_by_us(span) or failure_of(evidence, span) or _locked(evidence, span))
        for span in (*calls.alone, *calls.crew)
    )


def _of_lock(
    evidence: Evidence, tool: ToolEntry, locked: list[Span], entries: tuple[ScanEntry, ...], waiting: list[str]
) -> Finding:
    span = max(locked, key=lambda each: each.seconds())
    entry = next((each for each in entries if each.client not in NETWORK_CLIENTS | _LOCAL), None)
    limit = wire_timeout(entry.timeout) if entry else None
    place = wording.place(entry.location, evidence.inventory.project_root) if entry else ""
    allowed = isinstance(limit, Seconds)
    by = f", its limit for a lock is {wording.limit(limit)} ({place})" if isinstance(limit, Seconds) else ""
    failure = failure_of(evidence, span)
    said = f": {failure.text}" if failure and failure.text else ""
    return Finding(
        code="CD330",
        slug="database_or_queue_call_unbounded",
        severity=Severity.ERROR,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=(
            f"Tool `{tool.name}` waited {wording.seconds(span.seconds())} for a lock that somebody else holds on its "
            f"database, and gave up ({wording.plural(len(locked), 'call')}{by}){said}."
        ),
        evidence=tuple(dict.fromkeys((*(each.id for each in locked), *waiting, *((scan_id(entry),) if entry else ())))),
        measured=Quantity("wait for the lock", Seconds(round(span.seconds(), 3)), n=len(locked)) if allowed else None,
        limit=Quantity("timeout", limit, where=place) if isinstance(limit, Seconds) else None,
        location=entry.location if entry else tool.location,
        fix=Fix(
            "Find who keeps the transaction open and end it; let readers pass a writer",
            'connection.execute("PRAGMA journal_mode=WAL")',
        ),
        lost=sum(each.seconds() for each in locked),
    )


def _unbounded(evidence: Evidence, calls: ToolCalls, entry: ScanEntry) -> Finding:
    tool = calls.tool
    place = wording.place(entry.location, evidence.inventory.project_root)
    what = f"`{entry.call}` of {entry.client}" if not entry.program else f"`{entry.program}` in a child process"
    waits = {"queue": "an empty queue", "subprocess": "a child that does not end", "future": "work that does not end"}
    held = waits.get(entry.client, "another thread") if _tame(entry) else "a peer that accepts and stays silent"
    fix = bounded_call(entry.client, entry.call, at=entry.location)
    if entry.client not in _LOCAL:
        fix = replace(fix, title="Bound every statement, not only the connect")
    return Finding(
        code="CD330",
        slug="database_or_queue_call_unbounded",
        severity=Severity.INFO if _tame(entry) or served(calls.every) else Severity.WARNING,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=f"Tool `{tool.name}` waits on {what} without a limit ({place}): {held} holds the crew for ever.",
        evidence=(scan_id(entry),),
        location=entry.location,
        fix=fix,
        depends_on=tool.endpoints,
        observed=False,
    )
