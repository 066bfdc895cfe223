"""Run by test_sqlite.py: what a user of sqlite3 notices, with (`on`) or without (`off`) the tap, as one JSON line."""

import json
import os
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))
FRAMES = []


def armed():
    from crewdoctor.model.layer import Layer
    from crewdoctor.worker.recorder import Recorder
    from crewdoctor.worker.taps import sqlite
    from crewdoctor.worker.watchdog import Watchdog

    recorder = Recorder()
    sqlite.install(recorder)
    read, write = os.pipe()
    recorder.arm(write, step="tool.isolated@tool:x", number=1, zero=time.monotonic(), seconds=60, layer=Layer.TOOL)

    def drain():
        with os.fdopen(read, "rb") as frames:
            FRAMES.extend(json.loads(line) for line in frames)

    reader = threading.Thread(target=drain)
    reader.start()
    control, asking = os.pipe()
    watchdog = Watchdog(recorder, control, str(Path(__file__).parent))
    watchdog.start()
    return recorder, reader, watchdog, asking


def noticed(path):
    """Results and exceptions of everything a connection can do."""
    seen = []

    def attempt(function):
        try:
            seen.append(repr(function()))
        except Exception as error:
            seen.append(f"{type(error).__module__}.{type(error).__qualname__}: {error}")

    with sqlite3.connect(path) as book:
        seen += [type(book).__name__, type(book).__module__, isinstance(book, sqlite3.Connection)]
        attempt(lambda: book.execute("CREATE TABLE rows (subject TEXT, amount REAL)").fetchall())
        attempt(lambda: book.executemany("INSERT INTO rows VALUES (?, ?)", [("a", 1.0), ("b", 2.0)]).rowcount)
        cursor = book.cursor()
        seen += [type(cursor).__name__, isinstance(cursor, sqlite3.Cursor), cursor.connection is book]
        attempt(lambda: list(cursor.execute("SELECT * FROM rows")))
        attempt(lambda: cursor.executescript("UPDATE rows SET amount = 3") is cursor)
        attempt(lambda: book.execute("SELECT nothing FROM rows"))
        attempt(lambda: book.execute("SELECT ?", ()))
        book.row_factory = sqlite3.Row
        attempt(lambda: tuple(book.execute("SELECT * FROM rows").fetchone()))
        attempt(lambda: len(list(book.iterdump())))
        attempt(book.commit)
        attempt(lambda: book.in_transaction)
    attempt(lambda: sqlite3.connect(path, 0.2, 0, None, True, sqlite3.Connection).execute("SELECT 1").fetchone())
    attempt(sqlite3.connect)
    book.close()
    attempt(lambda: book.execute("SELECT 1"))
    return seen


def blocked(path):
    """A reader with a limit of 1.6 s before a writer's open transaction."""
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    try:
        sqlite3.connect(path, timeout=1.6).execute("SELECT * FROM rows")
    except sqlite3.OperationalError as error:
        return str(error)
    finally:
        writer.rollback()
    return "it was let through"


def main():
    held = armed() if sys.argv[1] == "on" else None
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "book.db"))
        if held is None:
            result = {"noticed": noticed(path), "blocked": blocked(path)}
        else:
            recorder, reader, watchdog, asking = held
            with recorder.span("tool.call", subject="tool:x"):
                result = {"noticed": noticed(path), "blocked": blocked(path)}
            watchdog.stop()
            recorder.end("ok")
            recorder.disarm()
            os.close(asking)
            reader.join(5)
            result["stacks"] = [
                [each["waiting"], each["attrs"].get("peer"), each["attrs"].get("timeout")]
                for each in FRAMES
                if each.get("k") == "stack"
            ]
            result["own"] = recorder.own_lines
    sys.stdout.write(json.dumps(result) + "\n")


main()
