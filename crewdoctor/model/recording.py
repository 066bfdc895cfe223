"""All facts of one diagnosis, as read back from recording.jsonl."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Plan
from crewdoctor.model.result import StepResult
from crewdoctor.model.span import Event, Span, Stack

RECORD = "CREWDOCTOR_RECORD"
"""Variable that makes a program record itself, where `worker/hook` is on its path: a file, or a folder."""
RECORDING = "CREWDOCTOR_RECORDING"
"""What a recorded process hands on to its descendants: the recording's zero, who took it last, and its file."""
VERBOSE = "CREWDOCTOR_RECORD_VERBOSE"
"""Variable that switches crewai's `verbose` and the SDKs' debug loggers on in a recorded program."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a recording."""

    format: str = "crewdoctor.recording/1"
    crewdoctor: str = ""
    started: str = ""
    """Wall clock, ISO 8601 UTC, once."""
    python: str = ""
    platform: str = ""
    cpus: int = 0
    load: float = 0.0
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True)
class Experiments:
    """What experiments did: kept apart, since it was our server that failed and not the crew's."""

    spans: tuple[Span, ...] = ()
    events: tuple[Event, ...] = ()
    stacks: tuple[Stack, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """Spans, events, stacks, results. Spans without an end stay open: the start is the diagnosis."""

    header: Header
    inventory: Inventory | None = None
    plans: tuple[Plan, ...] = ()
    results: tuple[StepResult, ...] = ()
    spans: tuple[Span, ...] = ()
    events: tuple[Event, ...] = ()
    stacks: tuple[Stack, ...] = ()
    experiments: Experiments = field(default_factory=Experiments)
    """The same of steps that were led to a server of ours (`args["redirected"]`); none of it is above."""
    notes: tuple[dict[str, Any], ...] = ()
    """crewdoctor's own lines: a tap that disabled itself, a deadline that cut steps off, bytes dropped."""
    simulated: tuple[str, ...] = ()
    """Subjects of models replaced by the embedded endpoint."""
    interrupted: str = ""
    """`SIGINT`, `SIGTERM`, or `truncated` when the recording has no last line."""
    end: float = 0.0
    """Seconds since zero of the last record."""
    recorder: dict[str, float] = field(default_factory=dict)
    """What recording has cost the steps that came to their end: `seconds` of encoding and writing, `bytes`, `spans`."""
