"""How glibc reads resolv.conf, as far as it decides who is asked, for what, and for how long.

Source: resolv.conf(5). Limits: three nameservers; `ndots` 15; `timeout` 30 s; `attempts` 5.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATH = "/etc/resolv.conf"


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """What the system resolver was told."""

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: float = 5.0
    """Seconds it waits for one nameserver before it asks the next."""
    attempts: int = 2
    lines: dict[str, int] | None = None
    """Line number of each nameserver."""


def read(path: str = PATH, options: str | None = None) -> ResolvConf:
    """Read `path` and RES_OPTIONS (`options` overrides it). A missing file means a nameserver on 127.0.0.1."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return parse(text, os.environ.get("RES_OPTIONS", "") if options is None else options)


def parse(text: str, options: str = "") -> ResolvConf:
    """Parse the text of a resolv.conf; `options` is the value of RES_OPTIONS, which wins."""
    nameservers: list[str] = []
    lines: dict[str, int] = {}
    search: tuple[str, ...] = ()
    words: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        keyword, *rest = line.split("#", 1)[0].split(";", 1)[0].split() or [""]
        if keyword == "nameserver" and rest and rest[0] not in lines and len(nameservers) < 3:  # noqa: PLR2004 - MAXNS
            nameservers.append(rest[0])
            lines[rest[0]] = number
        elif keyword in {"search", "domain"}:
            search = tuple(rest)
        elif keyword == "options":
            words += rest
    words += options.split()
    return ResolvConf(
        nameservers=tuple(nameservers) or ("127.0.0.1",),
        search=search,
        ndots=_number(words, "ndots", 1, 15),
        timeout=float(_number(words, "timeout", 5, 30)),
        attempts=_number(words, "attempts", 2, 5),
        lines=lines,
    )


def told(conf: ResolvConf | None = None) -> dict[str, Any]:
    """What a recording holds of it; without `conf`, of what is in force here."""
    conf = conf or read()
    return {
        "path": PATH,
        "nameservers": list(conf.nameservers),
        "search": list(conf.search),
        "ndots": conf.ndots,
        "timeout": conf.timeout,
        "attempts": conf.attempts,
        "lines": conf.lines or {},
    }


def candidates(name: str, conf: ResolvConf) -> tuple[str, ...]:
    """Names really asked for, in order, each absolute (with its last dot), until one exists."""
    if name.endswith("."):
        return (name,)
    searched = tuple(f"{name}.{domain.strip('.')}." for domain in conf.search if domain.strip("."))
    if name.count(".") >= conf.ndots:
        return (f"{name}.", *searched)
    return (*searched, f"{name}.")


def hosts_file_names(path: str = "/etc/hosts") -> frozenset[str]:
    """Lower-case names the hosts file answers for: no nameserver is asked about them."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    return frozenset(word.lower() for line in text.splitlines() for word in line.split("#", 1)[0].split()[1:])


def _number(words: list[str], name: str, default: int, largest: int) -> int:
    value = default
    for word in words:
        key, _, held = word.partition(":")
        if key == name and held.isdigit():
            value = min(int(held), largest)
    return value
