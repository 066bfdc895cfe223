"""What the user asked for, after command line, environment and config files were merged."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any

STYLES = ("threads", "async-each", "akickoff-each", "gather", "processes")
"""Ways of starting a crew many times at once."""


@dataclass(frozen=True, slots=True)
class Options:
    """Everything a diagnosis depends on besides the target itself."""

    target: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    input_origins: dict[str, str] = field(default_factory=dict)
    """Where each of `inputs` was given: `--inputs`, a file, a variable. Not written by users."""
    llm: str = "auto"
    """`auto` (the crew's own where a usable key is found, else embedded), `own`, `embedded`."""
    deadline: float = 120.0
    """Seconds for layers 0-4 and, off a TTY, for everything."""
    max_llm_calls: int = 20
    python: str = ""
    allow_tools: tuple[str, ...] = ()
    tool_arguments: dict[str, dict[str, Any]] = field(default_factory=dict)
    """`[tool.crewdoctor.tools.<name>]`: arguments given by the user."""
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: str = "error"
    outer: float | None = None
    """The platform's own limit in seconds, where the user named one."""
    include_content: bool = False
    dry_run: bool = False
    verbosity: int = 0
    scope: str = "diagnose"
    """The command: `diagnose preflight settings scale tool llm net run`; `scope.py` says what each examines."""
    scale: bool = False
    """diagnose: the ramp too."""
    style: str = ""
    """How the ramp starts kickoffs: `threads async-each akickoff-each gather processes`; empty: as the source does."""
    max_concurrency: int = 16
    """Kickoffs at once, at most."""
    model_latency: float | None = None
    """Seconds the embedded model takes for an answer of the ramp; None: what was measured, else 1 s."""
    confirm: bool = False
    """The ramp's first cause is taken away in the worker, and its last level run again."""
    change: str = ""
    """What is taken away: `executor:16`, `connections:16`, `gate:2`. Said by a rule, not by users."""
    yes_load_this_endpoint: bool = False
    """The ramp may load endpoints that are not this machine with more than 8 operations at once."""
    no_llm: bool = False
    """preflight: no call of a model."""
    with_crew: bool = False
    """preflight: the full crew too, on the embedded model."""
    tool: str = ""
    """probe-tool: the tool's name."""
    hosts: tuple[str, ...] = ()
    """probe-net: `host`, `host:port` or URLs."""
    model: dict[str, str] = field(default_factory=dict)
    """probe-llm: `name`, `base_url`, `key_variable`, each where it was given."""
    prove: bool = False
    """Whether settings are proved by experiment, against a server of ours."""
    interactive: bool = False
    """Whether a person watches (a TTY): the crew may then run on past the deadline while it moves."""

    def command(self, target: str) -> str:
        """The command line that asks the same of `target`: `crewdoctor preflight crew.py`."""
        name = {"tool": "probe-tool"}.get(self.scope, self.scope)
        return f"crewdoctor {name} {shlex.quote(target)}" + (f" {shlex.quote(self.tool)}" if self.tool else "")
