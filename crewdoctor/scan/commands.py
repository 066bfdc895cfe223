"""Commands of child processes: which of them wait for somebody on the network, and whether they are told how long."""

from __future__ import annotations

import ast
import shlex

from crewdoctor.scan.values import UNRESOLVED, Scope, value_of

_LIMITS: dict[str, tuple[str, ...]] = {
    "curl": ("-m", "--max-time", "--speed-time", "-y"),
    "wget": ("-T", "--timeout", "--read-timeout"),
    "ssh": ("ServerAliveInterval",),
    "scp": ("ServerAliveInterval",),
    "sftp": ("ServerAliveInterval",),
    "rsync": ("--timeout", "--contimeout"),
    "git": (),
    "psql": (),
    "mysql": (),
    "redis-cli": ("-t",),
    "mongosh": (),
    "kubectl": ("--request-timeout",),
    "docker": (),
    "aws": ("--cli-read-timeout",),
    "gcloud": (),
    "az": (),
    "gh": (),
    "npm": (),
    "pip": ("--timeout",),
    "nc": ("-w",),
    "ncat": ("-w", "-i"),
    "telnet": (),
    "ftp": (),
    "http": ("--timeout",),
    "lynx": ("-read_timeout",),
}
"""Programs that wait for a peer, and the words by which they are told for how long."""
_REMOTE_GIT = frozenset({"clone", "fetch", "pull", "push", "ls-remote", "submodule"})
_WRAPPED = frozenset({"sudo", "env", "nice", "nohup"})


def outward_program(call: ast.Call, scope: Scope) -> str:
    """The program a child process runs, where it waits for a peer without a limit of its own; else empty."""
    words = _words(call, scope)
    while words and (words[0] in _WRAPPED or "=" in words[0]):
        words = words[1:]
    program = words[0].rpartition("/")[2] if words else ""
    if program not in _LIMITS or any(word.startswith(told) for word in words[1:] for told in _LIMITS[program]):
        return ""
    if program == "git" and not _REMOTE_GIT & set(words):
        return ""
    return program


def _words(call: ast.Call, scope: Scope) -> list[str]:
    """The command as words, as far as it is literal: what is computed stands as an empty word."""
    given = [*call.args[:1], *(each.value for each in call.keywords if each.arg in ("args", "command", "cmd"))]
    if not given:
        return []
    node = given[0]
    if isinstance(node, (ast.List, ast.Tuple)):
        return [str(value_of(each, scope)) if value_of(each, scope) is not UNRESOLVED else "" for each in node.elts]
    held = value_of(node, scope)
    if isinstance(held, (list, tuple)):
        return [str(each) for each in held]
    if not isinstance(held, str):
        return []
    try:
        return shlex.split(held)
    except ValueError:
        return held.split()
