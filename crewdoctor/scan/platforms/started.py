"""Procfile and Dockerfile: the limits on the command lines that start the program."""

from __future__ import annotations

import json
from collections.abc import Iterator

from crewdoctor.scan.platforms.command_line import limits_of, words
from crewdoctor.scan.platforms.limit import Around, Outer

PATTERNS = ("Procfile", "Dockerfile", "Dockerfile.*", "*.Dockerfile", "*/Dockerfile", "*/Procfile")
_STARTS = ("CMD", "ENTRYPOINT")


def limits(around: Around) -> Iterator[Outer]:
    """Of a Procfile each process's; of a Dockerfile those of its last CMD and ENTRYPOINT."""
    lines = around.text().splitlines()
    found = _processes(lines) if around.file.name == "Procfile" else _last(lines)
    for line, whom, command in found:
        sure = around.starts_crew(" ".join(command))
        for platform, name, timeout in limits_of(command):
            yield Outer(platform, name, timeout, around.at(line), whom=whom, sure=sure)


def _processes(lines: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    for number, line in enumerate(lines, 1):
        name, colon, command = line.partition(":")
        if colon and not line.lstrip().startswith("#"):
            yield number, name.strip(), words(command)


def _last(lines: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """Only the last instruction of its kind counts (Dockerfile reference)."""
    starts: dict[str, tuple[int, str, list[str]]] = {}
    index = 0
    while index < len(lines):
        begun, text = index, lines[index].strip()
        while text.endswith("\\") and index + 1 < len(lines):
            index += 1
            text = f"{text[:-1]} {lines[index].strip()}"
        index += 1
        instruction, _, rest = text.partition(" ")
        if instruction.upper() in _STARTS:
            starts[instruction.upper()] = (begun + 1, "", _command(rest.strip()))
    yield from starts.values()


def _command(text: str) -> list[str]:
    if text.startswith("["):
        try:
            held = json.loads(text)
        except ValueError:
            return words(text)
        parts = [str(each) for each in held] if isinstance(held, list) else []
        return words(parts[2]) if parts[:2] in (["sh", "-c"], ["bash", "-c"]) and parts[2:] else parts
    return words(text)
