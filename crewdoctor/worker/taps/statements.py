"""The write guard for SQL and mail: statements that are not queries, and messages, stop before they leave.

Where a driver is written in C and holds its own connection (psycopg2, mysqlclient, pymongo's extensions) nothing can
be asked; a tool that uses one is not guarded here. sqlite3 has a file of its own.
"""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.libpq import note_limit
from crewdoctor.worker.taps.tap import Tap
from crewdoctor.worker.taps.writes import guarded, stop

_QUERY = re.compile(
    r"^\s*(--[^\n]*\n\s*|/\*.*?\*/\s*|\()*(SELECT|SHOW|EXPLAIN|DESCRIBE|DESC|VALUES|PRAGMA)\b",
    re.IGNORECASE | re.DOTALL,
)
_WRITING_CTE = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|CREATE|DROP|ALTER|TRUNCATE)\b", re.IGNORECASE)
_SESSION = re.compile(r"^\s*(SET|BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|USE|END|DISCARD)\b", re.IGNORECASE)
"""Words that frame a query and change nothing by themselves."""


def is_query(statement: Any) -> bool:
    """Whether SQL only reads. What cannot be read as text (a composed object) is not known to."""
    if isinstance(statement, bytes):
        statement = statement.decode("utf-8", "replace")
    if not isinstance(statement, str):
        return False
    if re.match(r"^\s*WITH\b", statement, re.IGNORECASE):
        return not _WRITING_CTE.search(statement)
    if re.match(r"^\s*PRAGMA\b[^=]*=", statement, re.IGNORECASE):
        return False
    return bool(_QUERY.match(statement) or _SESSION.match(statement))


def install(recorder: Recorder) -> None:
    """Tap psycopg 3 and smtplib, now or when they are imported."""
    tap = Tap("statements", recorder)

    def mailed(server: Any, *_args: Any, **_kwargs: Any) -> None:
        if guarded(recorder, on_wire=True):
            stop(recorder, "send mail through", str(getattr(server, "_host", "")))

    def executed(cursor: Any, statement: Any, *_args: Any, **_kwargs: Any) -> None:
        note_limit(cursor, statement)
        if guarded(recorder, on_wire=True) and not is_query(statement):
            stop(recorder, "SQL", str(statement).split(None, 1)[0].upper() if statement else "")

    def mail(module: ModuleType) -> None:
        tap.around(module.SMTP, "sendmail", mailed)

    def postgres(module: ModuleType) -> None:
        tap.around(module.Cursor, "execute", executed)
        tap.around(module.Cursor, "executemany", executed)
        tap.around_coroutine(module.AsyncCursor, "execute", executed)
        tap.around_coroutine(module.AsyncCursor, "executemany", executed)

    when_imported("smtplib", tap.safely(mail))
    when_imported("psycopg", tap.safely(postgres))
