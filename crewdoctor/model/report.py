"""What is shown: everything a format needs, and nothing it must compute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crewdoctor.model.finding import Finding
from crewdoctor.model.inventory import Unexamined
from crewdoctor.model.layer import Layer
from crewdoctor.model.proof import Proof, Trial
from crewdoctor.model.rule import RuleOutcome
from crewdoctor.model.setting import Location, Setting, Timeout
from crewdoctor.model.stall import Stall


@dataclass(frozen=True, slots=True)
class Question:
    """One line of a layer: a positive sentence and whether it holds."""

    layer: Layer
    subject: str
    question: str
    status: str
    """`ok finding failed killed crashed skipped`"""
    answer: str = ""
    """The figure, or the reason."""
    seconds: float | None = None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung of the ladder: the same work, one layer higher."""

    name: str
    """`connect`, `raw request`, `sdk`, `crewai llm`, `agent`, `crew`"""
    samples: int
    median: float
    maximum: float
    exclusive: float
    """Seconds this rung adds to the one below (medians)."""
    jump: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the waterfall."""

    name: str
    subject: str
    start: float
    end: float
    depth: int
    kind: str
    """`llm tool limiter backoff wait framework network crew agent task`"""
    open: bool = False
    failure: str = ""
    critical: bool = False
    detail: str = ""
    span: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """Where the crew's time went: exclusive seconds on the critical path."""

    kind: str
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Scope:
    """One node of the ledger as a tree."""

    name: str
    subject: str
    floor: str
    ceiling: str
    formula: str
    inversion: str = ""
    children: tuple[Scope, ...] = ()


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a call. Seconds."""

    name: str
    """`dns.lookup tcp.connect tls.handshake`, `first byte`, `first token`, `last token`, `whole answer`."""
    at: float
    """When it ended, from the start of the call."""
    seconds: float
    detail: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a model with its user's own settings, as seen on the wire."""

    subject: str
    model: str
    host: str
    status: int | None
    attempts: int
    failure: str = ""
    phases: tuple[Phase, ...] = ()
    ratelimit: dict[str, str] = field(default_factory=dict)
    limits: str = ""
    """Timeouts and retries in force, with who says so."""


@dataclass(frozen=True, slots=True)
class InputUsed:
    """One input the crew, or an argument what builds it, was given. Its value is in no report."""

    name: str
    source: str
    """`--inputs`, a file or variable, `the crew's own kickoff`, `a kickoff in the source`, `invented for build()`."""


@dataclass(frozen=True, slots=True)
class Owner:
    """One of the operations around another: whose work it is."""

    name: str
    """`crew.kickoff task.execution agent.execution llm.call tool.call python.import`"""
    subject: str
    span: str


@dataclass(frozen=True, slots=True)
class HangEnd:
    """One clock that runs around a wait."""

    what: str
    """`this wait`, `the SDK's attempts`, `the agent's executions`, `max_execution_time`, `--outer`"""
    limit: Timeout
    left: float | None
    """Seconds it still had to run; None where it never ends, or nobody knows."""
    where: str = ""
    """Who says so, or the arithmetic."""
    interrupts: bool = True
    """False: when it has run out, the wait goes on (crewAI's `max_execution_time`)."""


@dataclass(frozen=True, slots=True)
class Hang:
    """An operation that was still waiting when it was last looked at."""

    subject: str
    owners: tuple[Owner, ...]
    """Outermost first; the last one is the operation itself."""
    waiting: str
    """`recv connect tls dns send lock process queue sleep cpu file gil unknown`"""
    message: str
    """One sentence without its stop: subject, operation, peer, bytes, silence, line."""
    peer: str
    """host:port, or what else it waits for."""
    received: int | None
    """Bytes of the answer so far; null: not known."""
    timeout: Timeout
    """In force where it waits."""
    seconds: float
    """Since the operation began."""
    silent: float
    """Since this very wait began."""
    attempt: int | None = None
    """Of a model's SDK: which request this is."""
    thread: str = ""
    frames: tuple[Location, ...] = ()
    """The user's own frames first, innermost first; then libraries'."""
    ends: tuple[HangEnd, ...] = ()
    """The clocks around it, nearest first: which would have ended it, and when."""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadLevel:
    """So many kickoffs kept going at once."""

    n: int
    kickoffs: int
    """Of which so many came to their end."""
    failed: int
    """Kickoffs that raised."""
    timeouts: int
    """Calls of models and tools within them that a clock of the crew's own ended, or a rate limit."""
    seconds: float | None
    """Of a kickoff, median; null: none came to its end."""
    longest: float | None
    per_second: float
    """Kickoffs completed a second."""
    layers: dict[str, float] = field(default_factory=dict)
    """Seconds of an average kickoff by layer: `llm`, `tool`, `waiting` (for a thread of a full pool), `rest`."""
    busy: bool = False
    """This machine, or crewdoctor's own process on it, may have been the limit: nobody else is blamed."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A level of the ramp once more, with its first cause taken away in the worker."""

    change: str
    """In words: `16 threads for its kickoffs`."""
    before: LoadLevel
    after: LoadLevel
    better: bool
    """Kickoffs were a fifth quicker, or fewer failed or were cut off; and no fewer came through."""


@dataclass(frozen=True, slots=True)
class Load:
    """The crew many times at once."""

    style: str
    """`threads async-each akickoff-each gather`"""
    where: str
    """The line of the user's source that does it so; empty where none was seen."""
    simulated: bool
    stopped_by: str
    """`knee errors limiter unfinished max-concurrency max-llm-calls deadline endpoint`"""
    kept: int
    """The highest number that kept every timeout."""
    broken: int | None
    """The first that did not; null: none was seen."""
    saturates: tuple[int, int] | None
    """Between these numbers more kickoffs only wait for each other; null: that was not reached."""
    levels: tuple[LoadLevel, ...] = ()
    next_limit: str = ""
    """The nearest limit that is known and was not met: one sentence; empty where none is known."""
    confirmed: Confirmed | None = None
    """What taking the first cause away did, where that was asked for (--confirm)."""


@dataclass(frozen=True, slots=True)
class Report:
    """One diagnosis."""

    format: str
    """`crewdoctor.report/1`"""
    crewdoctor: str
    started: str
    target: str
    crew: str
    verdict: str
    """One sentence."""
    exit_code: int
    seconds: float
    findings: tuple[Finding, ...] = ()
    """Errors and warnings: roots in order, what they explain folded beneath each."""
    notes: tuple[Finding, ...] = ()
    """Exposure from defaults (info)."""
    hangs: tuple[Hang, ...] = ()
    """What was still waiting at the end, longest silence first."""
    questions: tuple[Question, ...] = ()
    model_calls: tuple[ModelCall, ...] = ()
    ladder: tuple[Rung, ...] = ()
    waterfall: tuple[Bar, ...] = ()
    shares: tuple[Share, ...] = ()
    load: Load | None = None
    """The crew many times at once, where that was asked for."""
    settings: tuple[Setting, ...] = ()
    """In force, with who says so."""
    proofs: tuple[Proof, ...] = ()
    """What experiments showed of settings (`--prove`)."""
    trials: tuple[Trial, ...] = ()
    """The calls of models they rest on: one per model and way to fail."""
    stalls: tuple[Stall, ...] = ()
    """The stall matrix: each tool against a server of ours that goes silent (`--prove`, `probe-tool --stall`)."""
    ledger: tuple[Scope, ...] = ()
    longest_hang: str = ""
    """The longest this crew can hang before anything ends it."""
    unexamined: tuple[Unexamined, ...] = ()
    rules: tuple[RuleOutcome, ...] = ()
    simulated: tuple[str, ...] = ()
    interrupted: str = ""
    inputs: tuple[InputUsed, ...] = ()
    """What the crew was started with."""
    scope: str = "diagnose"
    """The command that made it: `diagnose preflight settings tool llm net`."""
    environment: dict[str, Any] = field(default_factory=dict)
