"""Progress as a terminal shows it: frames are played into a small one, and looked at."""

import io
import os
import re
import unicodedata

import pytest

from crewdoctor.cli import live
from crewdoctor.cli.progress import Screen
from crewdoctor.model.layer import Layer
from crewdoctor.supervisor import Progress

TOKEN = re.compile(r"\x1b\[(\d*)([A-Za-z])|\x1b\[[\d;]*m|\r|\n|[^\x1b\r\n]")


class Terminal(io.StringIO):
    """What a terminal does with text, \\r, \\n and the few sequences progress may use; anything else fails."""

    def __init__(self, columns=80, rows=24):
        super().__init__()
        self.columns, self.height = columns, rows
        self.cells, self.row, self.column = [[]], 0, 0
        self.writes = 0

    def isatty(self):
        return True

    def fileno(self):
        return 2

    def write(self, text):
        self.writes += 1
        consumed = 0
        for match in TOKEN.finditer(text):
            assert match.start() == consumed, f"unknown: {text[consumed : match.start()]!r}"
            consumed = match.end()
            self._take(match)
        assert consumed == len(text)
        return len(text)

    def _take(self, match):
        told, number, command = match[0], int(match[1] or 1) if match[2] else 0, match[2]
        line = self.cells[self.row]
        if told == "\r":
            self.column = 0
        elif told == "\n":
            self.row, self.column = self.row + 1, 0
            self.cells += [[] for _ in range(self.row + 1 - len(self.cells))]
        elif command == "A":
            self.row = max(0, self.row - number)
        elif command == "K":
            self.cells[self.row] = [] if match[1] == "2" else line[: self.column]
        elif command == "J":
            self.cells[self.row :] = [line[: self.column]]
        elif command is None and not told.startswith("\x1b"):
            self._put(told, line)
        else:
            assert told.endswith("m"), f"unknown: {told!r}"

    def _put(self, character, line):
        if unicodedata.combining(character):
            line[self.column - 1] += character
            return
        wide = unicodedata.east_asian_width(character) in "WF"
        line += [" "] * (self.column - len(line))
        line[self.column : self.column + 1 + wide] = [character, *([""] if wide else [])]
        self.column += 1 + wide
        assert self.column <= self.columns, "a row wrapped"

    @property
    def shown(self):
        return ["".join(cells).rstrip() for cells in self.cells]


@pytest.fixture
def terminal(monkeypatch):
    held = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(live.os, "get_terminal_size", lambda fd: os.terminal_size((held.columns, held.height)))
    return held


def running(name, layer=Layer.TOOL, waiting="", state="running", remaining=12.0):
    return Progress(name, state, f"do {name}", waiting, remaining, layer)


def test_each_running_step_has_a_row_with_layer_wait_and_remaining_deadline(terminal):
    screen = Screen(terminal, deadline=120.0)

    screen.show(running("dns", Layer.NETWORK, "recv from 127.0.0.53:53", remaining=9.4))
    screen.show(running("search"))

    assert re.fullmatch(r"  0\.\d s  0 steps done, deadline in 120 s", terminal.shown[0])
    assert re.fullmatch(r"  network   do dns: recv from 127\.0\.0\.53:53 +9 s left", terminal.shown[1])
    assert re.fullmatch(r"  tool      do search +12 s left", terminal.shown[2])
    assert len(terminal.shown) == 3


def test_a_step_that_ended_leaves_no_row(terminal):
    screen = Screen(terminal)
    for name in ("a", "b", "c"):
        screen.show(running(name))

    screen.show(running("b", state="ok"))
    screen.show(running("c", state="killed"))

    assert [row.split()[1:3] for row in terminal.shown[1:]] == [["do", "a"]]
    assert "2 steps done" in terminal.shown[0]


def test_a_long_wait_takes_a_row_of_its_own_while_there_are_few(terminal):
    screen = Screen(terminal)
    wait = "recv from internal-api.local:443 after 1138 bytes of the answer at shop_tools.py:13"

    screen.show(running("a", waiting=wait))
    assert terminal.shown[2].startswith("            waits: recv from internal-api.local:443")

    for name in "bcdefgh":
        screen.show(running(name, waiting=wait))
    assert len(terminal.shown) == 7
    assert terminal.shown[6] == "  and 3 more"
    assert all("recv from" in row for row in terminal.shown[1:6])


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120])
def test_no_row_wraps_at_any_width(terminal, columns):
    terminal.columns = columns
    screen = Screen(terminal)

    for name in ("\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 90, "x" * 300, "e\N{COMBINING ACUTE ACCENT}" * 200):
        screen.show(running(name, waiting="y" * 300))
    screen.show(running("z", waiting="recv"))

    assert all(live.width(row) < columns for row in terminal.shown)


def test_a_low_window_is_not_scrolled(terminal):
    terminal.height = 3
    screen = Screen(terminal)
    for name in "abcdef":
        screen.show(running(name))

    assert len(terminal.shown) == 2


def test_what_is_said_stands_above_and_stays(terminal):
    screen = Screen(terminal)
    screen.show(running("a"))
    screen.say("1 step, own model")
    screen.show(running("a", waiting="recv"))

    assert terminal.shown[0] == "crewdoctor: 1 step, own model"
    assert "do a: recv" in terminal.shown[2]


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_however_it_ends(terminal, error):
    def work():
        with Screen(terminal) as screen:
            screen.say("kept")
            screen.show(running("a"))
            screen.show(running("b"))
            if error is not None:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises(error):
            work()

    assert terminal.shown == ["crewdoctor: kept", ""]


def test_a_frame_is_one_write_and_the_same_frame_none(terminal, monkeypatch):
    monkeypatch.setattr("crewdoctor.cli.progress.time.monotonic", lambda: 5.0)
    screen = Screen(terminal)

    screen.show(running("a"))
    assert terminal.writes == 1

    screen.show(running("a"))
    assert terminal.writes == 1


def test_a_narrower_window_is_redrawn_whole(terminal):
    terminal.columns = 120
    screen = Screen(terminal)
    screen.say("kept")
    screen.show(running("a", waiting="recv"))
    terminal.cells = [part for row in terminal.cells for part in (row[:60], row[60:]) if part or not row]
    terminal.row, terminal.columns = len(terminal.cells) - 1, 60

    screen.show(running("a", waiting="send"))

    assert terminal.shown[0] == "crewdoctor: kept"
    assert [row.split()[0] for row in terminal.shown[1:]] == ["0.0", "tool"]


def test_without_color_no_style_is_written(terminal, monkeypatch):
    written = []
    monkeypatch.setattr(Terminal, "write", lambda self, text: written.append(text))

    Screen(terminal).show(running("a"))
    assert not re.search(r"\x1b\[[\d;]*m", "".join(written))

    Screen(terminal, color=True).show(running("a"))
    assert re.search(r"\x1b\[[\d;]*m", "".join(written))


class Pipe(io.StringIO):
    def isatty(self):
        return False


@pytest.mark.parametrize("kind", ["pipe", "dumb"])
def test_elsewhere_there_is_a_plain_line_for_each_step_that_ended(monkeypatch, kind, terminal):
    stream = Pipe()
    if kind == "dumb":
        monkeypatch.setenv("TERM", "dumb")
        monkeypatch.setattr(stream, "isatty", lambda: True)
    screen = Screen(stream)

    screen.show(running("a", state="starting"))
    screen.show(running("a", waiting="recv"))
    screen.show(running("a", state="killed", waiting="its deadline came"))

    assert re.fullmatch(r"crewdoctor:   0\.\d s  killed   do a: its deadline came\n", stream.getvalue())


def test_text_from_outside_moves_no_cursor(terminal):
    Screen(terminal).show(running("a\x1b[2J\n\x07b", waiting="\x1b]0;x\x07\r"))

    assert len(terminal.shown) == 2


def test_quiet_is_quiet(terminal):
    screen = Screen(terminal, quiet=True)
    screen.say("x")
    screen.show(running("a", state="ok"))

    assert terminal.writes == 0


def test_a_closed_stream_ends_the_progress_and_not_the_diagnosis(terminal, monkeypatch):
    def gone(self, text):
        raise BrokenPipeError

    screen = Screen(terminal)
    monkeypatch.setattr(Terminal, "write", gone)

    screen.show(running("a"))
    screen.say("x")
    screen.__exit__(None, None, None)
