"""Spans to lines, fast: what repeats from one request to the next is redacted and encoded once.

Says exactly what `to_line(redact_json(...))` would say, down to numbers that are none; a test holds the two together.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from crewdoctor.model.span import Failure
from crewdoctor.wire.codec import encode
from crewdoctor.wire.frames import plain, to_line
from crewdoctor.wire.redact import generation, redact_json

LONGEST_TEXT = 2000
_MOST = 4096
_SHORT = 100
_LARGE = 1e300
_quoted = json.encoder.encode_basestring_ascii


class Spanned(Protocol):
    """A span as its recorder knows it."""

    id: str
    subject: str
    layer: str
    start: float
    end: float | None
    failure: Failure | None

    @property
    def name(self) -> str:
        """One of docs/spans.md."""

    def opening(self, lines: Lines) -> str:
        """Attributes given at the start, as text: by `body`, or by something as good."""

    def closing(self, lines: Lines) -> str:
        """Attributes given at the end: by `members`, or by something as good."""


class Lines:
    """Writes the `open` and `close` frames of one step, and remembers fragments of them."""

    def __init__(self, step: str) -> None:
        self._step = _text({"step": step})[1:-1]
        self._generation = generation()
        self._heads: dict[tuple[str, str, str], str] = {}
        self._names: dict[str, tuple[str, bool]] = {}
        self._strings: dict[str, str] = {}
        self._bodies: dict[bytes, str] = {}
        self._learned: dict[Hashable, str] = {}
        self.untold = ""
        """Why the first span that could not be put into words was not: it has no attributes."""

    def opened(self, span: Spanned, parent: str | None) -> bytes:
        """Its `open` frame."""
        if self._generation != generation():
            self._forget()
        key = (span.name, span.layer, span.subject)
        head = self._heads.get(key)
        if head is None:
            told = _text({"name": span.name, "layer": span.layer, "subject": span.subject})[1:-1]
            head = self._heads[key] = f"{self._step},{told}"
        above = "null" if parent is None else f'"{parent}"'
        try:
            body = span.opening(self)
        except Exception as error:  # noqa: BLE001 - what a tap noted is no good; the span itself is
            body = self._without(error)
        return (
            f'{{"k":"open","id":"{span.id}",{head},"start":{span.start:.6f},"parent":{above},"attrs":{body}}}\n'
        ).encode("ascii")

    def closed(self, span: Spanned) -> bytes:
        """Its `close` frame."""
        if self._generation != generation():
            self._forget()
        failure = "null" if span.failure is None else _text(encode(span.failure))
        try:
            body = span.closing(self)
        except Exception as error:  # noqa: BLE001 - the same: a start without an end would be a hang
            body = self._without(error)
        return (f'{{"k":"close","id":"{span.id}","end":{span.end:.6f},"failure":{failure},"attrs":{body}}}\n').encode(
            "ascii"
        )

    def _without(self, error: Exception) -> str:
        self.untold = self.untold or f"a span could not be told: {error!r}"[:LONGEST_TEXT]
        return "{}"

    def known(self, key: Hashable) -> str | None:
        """What `learn` was given under this key."""
        return self._learned.get(key)

    def learn(self, key: Hashable, attrs: dict[str, Any]) -> str:
        """The text of attributes; the same for this key from now on."""
        if len(self._learned) >= _MOST:
            self._learned.clear()
        text = self._learned[key] = self.members(attrs)
        return text

    def body(self, attrs: dict[str, Any]) -> str:
        """Attributes that are often the same as before, all of them."""
        return self._remembered(attrs, self.members)

    def _remembered(self, attrs: dict[str, Any], told: Callable[[dict[str, Any]], str]) -> str:
        try:
            key = marshal.dumps(attrs, 2)
        except ValueError:  # something no JSON has either: made into text where it is written
            return _text(attrs)
        known = self._bodies.get(key)
        if known is None:
            if len(self._bodies) >= _MOST:
                self._bodies.clear()
            known = self._bodies[key] = told(attrs)
        return known

    def members(self, attrs: dict[str, Any]) -> str:
        """Attributes whose numbers differ each time, by member."""
        parts = []
        for name, value in attrs.items():
            known = self._names.get(name)
            if known is None:
                known = self._name(name)
            prefix, plain = known
            kind = type(value)
            if kind is int or kind is float:
                text = repr(value) if value == value and abs(value) < _LARGE else _value(value)  # noqa: PLR0124 - NaN
            elif value is None:
                text = "null"
            elif kind is bool:
                text = "true" if value else "false"
            elif plain and kind is str and len(value) < _SHORT:
                text = self._strings.get(value) or self._string(value)
            elif plain:
                text = self._remembered({name: value}, _text)[len(prefix) + 1 : -1]
            else:
                text = _text({name: value})[len(prefix) + 1 : -1]
            parts.append(prefix + text)
        return "{" + ",".join(parts) + "}"

    def _name(self, name: str) -> tuple[str, bool]:
        masked = redact_json({name: "plain"})
        shown = next(iter(masked))
        if len(self._names) >= _MOST:
            self._names.clear()
        known = self._names[name] = (f"{_quoted(shown)}:", masked[shown] == "plain")
        return known

    def _string(self, value: str) -> str:
        if len(self._strings) >= _MOST:
            self._strings.clear()
        text = self._strings[value] = _quoted(redact_json(value))
        return text

    def _forget(self) -> None:
        """A secret was learned: what was redacted before may hold it."""
        self._generation = generation()
        for held in (self._heads, self._names, self._strings, self._bodies, self._learned):
            held.clear()


def line_of(record: dict[str, Any]) -> bytes:
    """One record as a line, without secrets. Raises nothing, whatever stands in it."""
    try:
        return to_line(redact_json(encode(record)))
    except Exception:  # noqa: BLE001 - a circle, a depth beyond Python's own, a repr that raises
        return to_line(redact_json(plain(record)))


def clipped(attrs: dict[str, Any]) -> dict[str, Any]:
    """Attributes in JSON, long texts cut."""
    return {name: _clip(value) for name, value in attrs.items()}


def _clip(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[:LONGEST_TEXT] + "…"
    try:
        return encode(value)
    except Exception:  # noqa: BLE001 - the same
        return plain(value)


def _text(record: dict[str, Any]) -> str:
    return line_of(clipped(record))[:-1].decode("ascii")


def _value(value: Any) -> str:
    return _text({"v": value})[5:-1]
