"""The timeout ledger: nested scopes, each with what it was seen to take and what it can take at most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from crewdoctor import wording
from crewdoctor.budget.arithmetic import attempt_ceiling, backoff, call_ceiling, outlives, task_ceiling, times
from crewdoctor.budget.limits import InForce
from crewdoctor.model.backoff import SDK, Backoff
from crewdoctor.model.report import Scope
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Seconds, Setting, Timeout

_WORTH_MINUTES = 120.0
"""From here a ceiling is also shown in minutes."""


@dataclass(frozen=True, slots=True)
class Nested:
    """One scope of the ledger: `outer > crew > task > agent > llm call > attempt`, `agent > tool call`.

    The ceiling is the longest wait for one dependency that stays silent: accepts, and sends nothing.
    """

    name: str
    subject: str
    floor: Timeout
    """The shortest it was seen to take as the crew does it; UNKNOWN where that was not measured."""
    ceiling: Timeout
    formula: str
    """The ceiling's arithmetic, with where its terms come from."""
    children: tuple[Nested, ...] = ()
    limit: Setting | None = None
    """A limit the user wrote on this scope, honoured or not."""
    inversion: str = ""

    def walk(self) -> Iterator[Nested]:
        """This scope and all within."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Inversion:
    """An inner scope that can outlive an outer limit somebody wrote."""

    outer: Setting
    inner: str
    """Subject of the inner scope."""
    ceiling: Timeout
    arithmetic: str
    both_written: bool
    """Whether the inner limit was written too: then the two contradict each other."""
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LlmTerms:
    """The terms of one model's formula, as one agent uses it."""

    subject: str
    agent: str
    read: Timeout
    read_setting: Setting | None
    retries: int
    retries_setting: Setting | None
    executions: int
    executions_setting: Setting | None
    deadline: Timeout = UNKNOWN
    """The agent's max_execution_time; UNKNOWN: none is set."""
    connect: Timeout | None = None
    """None: nothing is known of it."""
    addresses: int = 1
    """Of its host: those that let a connect run into its timeout, and one."""
    counted: bool = False
    """Whether crewai has the tokens of each call counted by the provider first."""
    policy: Backoff = SDK
    unread_retries: bool = False
    """Nobody knows how often its SDK tries again: nothing can be multiplied."""

    @property
    def attempt(self) -> Timeout:
        """Ceiling of one request."""
        return attempt_ceiling(self.connect, self.read, self.addresses)

    @property
    def call(self) -> Timeout:
        """Ceiling of one `llm.call`."""
        if self.unread_retries and isinstance(self.attempt, Seconds):
            return UNKNOWN
        return call_ceiling(self.attempt, self.retries, self.policy)

    @property
    def execution(self) -> Timeout:
        """Ceiling of one execution of the task: the count of tokens, where there is one, and the call."""
        return times(2 if self.counted else 1, self.call)

    @property
    def task(self) -> Timeout:
        """Ceiling of a task whose model stays silent."""
        return task_ceiling(self.execution, self.executions, self.deadline)[0]

    @property
    def made(self) -> int:
        """Executions a silent model really gets."""
        return task_ceiling(self.execution, self.executions, self.deadline)[1]

    @property
    def attempts(self) -> int:
        """Requests on the wire against a silent model."""
        return self.made * (2 if self.counted else 1) * (self.retries + 1)

    @property
    def ids(self) -> tuple[str, ...]:
        """Evidence ids of its settings."""
        held = (self.read_setting, self.retries_setting, self.executions_setting)
        return tuple(setting.id for setting in held if setting)

    @property
    def attempt_formula(self) -> str:
        """`600 s`; `(1 dropped x 30 s + 30 s)` where connects to an address ran into their timeout."""
        if self.addresses < 2 or self.connect is None:  # noqa: PLR2004 - one address needs no sum
            return wording.limit(self.attempt)
        last = attempt_ceiling(self.connect, self.read)
        return f"({self.addresses - 1} dropped {wording.TIMES} {wording.limit(self.connect)} + {wording.limit(last)})"

    @property
    def call_formula(self) -> str:
        """`(2 + 1) attempts x 600 s + 1.5 s backoff`; `600 s` where nothing is tried again."""
        if self.unread_retries and isinstance(self.attempt, Seconds):
            return f"{self.attempt_formula} an attempt, and nobody knows how many there are"
        if not self.retries:
            return self.attempt_formula
        slept = backoff(self.retries, self.policy)
        tail = f" + {wording.exact(slept)} backoff" if slept else ""
        return f"({self.retries} + 1) attempts {wording.TIMES} {self.attempt_formula}{tail}"

    @property
    def formula(self) -> str:
        """`3 executions x 2 requests (token count, call) x ((2 + 1) attempts x 600 s + 1.5 s backoff)`."""
        factors = [f"{self.made} executions"] if self.made > 1 else []
        factors += ["2 requests (token count, call)"] if self.counted else []
        if not factors:
            return self.call_formula
        call = f"({self.call_formula})" if self.retries else self.call_formula
        return f" {wording.TIMES} ".join((*factors, call))


@dataclass(frozen=True, slots=True)
class Ending:
    """What would have ended a wait that was still going, and when."""

    after: Timeout
    """Seconds from the start of the wait; UNLIMITED: nothing would have."""
    text: str
    """`nothing would have ended it: no timeout is set`."""
    where: str = ""
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ledger:
    """All scopes of a crew, readable by subject."""

    roots: tuple[Nested, ...] = ()
    inversions: tuple[Inversion, ...] = ()
    models: tuple[LlmTerms, ...] = ()
    """One per agent and model."""
    tools: dict[str, InForce] = field(default_factory=dict)
    deadlines: dict[str, Setting] = field(default_factory=dict)
    """Agent subject → its max_execution_time, where one is set."""
    owners: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Tool subject → agents that may call it."""
    longest_hang: str = ""
    outers: tuple[Setting, ...] = ()
    """Limits around the crew, the shortest first."""

    def walk(self) -> Iterator[Nested]:
        """Every scope."""
        for root in self.roots:
            yield from root.walk()

    def terms(self, subject: str, *, begun: bool = False) -> LlmTerms | None:
        """Return the terms of a model; of several agents that share it, those of the longest ceiling.

        `begun`: some of a stream had come; the SDK does not retry those (openai 2.54, measured), the agent does.
        """
        held = [replace(each, retries=0) if begun else each for each in self.models if each.subject == subject]
        return max(held, key=lambda each: _rank(each.task), default=None)

    def tool(self, subject: str) -> InForce:
        """Return what bounds a tool's wait."""
        return self.tools.get(subject, InForce())

    def would_end_tool(self, subject: str, in_force: Timeout = UNKNOWN, known: InForce | None = None) -> Ending:
        """What would have ended a tool that is blocked, given the timeout in force where it is blocked.

        `known`: what bounds a wait of another kind (a lock, a child process), where its client's timeout is idle.
        """
        known = self.tool(subject) if known is None else known
        timeout = in_force if in_force is not UNKNOWN else known.timeout
        same = timeout == known.timeout
        where, ids = (known.where, known.ids) if same else ("", ())
        if isinstance(timeout, Seconds):
            source = f" ({where})" if where else ""
            text = f"its timeout of {wording.limit(timeout)}{source} would have ended it"
        elif timeout is UNLIMITED:
            text = "nothing would have ended it: no timeout is set"
        else:
            text = "what would have ended it could not be read"
        named = [self.deadlines[agent] for agent in self.owners.get(subject, ()) if agent in self.deadlines]
        if named and not (isinstance(timeout, Seconds) and not outlives(timeout, _deadline(named[0]))):
            value = wording.limit(_deadline(named[0])).removesuffix(" s")
            text += f", and the agent's max_execution_time={value} does not interrupt it"
            ids = (*ids, named[0].id)
        return Ending(timeout, text, where, ids)

    def would_end_llm(self, subject: str, *, begun: bool = False) -> Ending:
        """What would have ended a model call that is blocked: each attempt, and all (`begun`: see `terms`)."""
        terms = self.terms(subject, begun=begun)
        if terms is None or terms.read is UNKNOWN:
            return Ending(UNKNOWN, "what would have ended it could not be read")
        if terms.read is UNLIMITED:
            return Ending(UNLIMITED, "nothing would have ended it: this client has no read timeout", ids=terms.ids)
        where = f" ({terms.read_setting.provenance.where})" if terms.read_setting else ""
        text = f"its read timeout of {wording.limit(terms.read)}{where} would have ended this attempt"
        if terms.attempts > 1 and isinstance(terms.task, Seconds):
            text += (
                f", and the crew would have made {terms.attempts}: "
                f"{wording.seconds(terms.task.value)} = {terms.formula}"
            )
        return Ending(terms.task, text, where.strip(" ()"), terms.ids)

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The ledger as a report shows it."""
        return tuple(_scope(root) for root in self.roots)


def _deadline(setting: Setting) -> Timeout:
    return setting.value if isinstance(setting.value, Seconds) else UNKNOWN


def _rank(timeout: Timeout) -> float:
    if isinstance(timeout, Seconds):
        return timeout.value
    return float("inf") if timeout is UNLIMITED else -1.0


def _scope(nested: Nested) -> Scope:
    floor = "" if nested.floor is UNKNOWN else wording.limit(nested.floor)
    if isinstance(nested.floor, Seconds):
        floor = wording.seconds(nested.floor.value)
    ceiling = wording.limit(nested.ceiling)
    if isinstance(nested.ceiling, Seconds) and nested.ceiling.value >= _WORTH_MINUTES:
        ceiling = f"{wording.seconds(nested.ceiling.value)} ({wording.limit(nested.ceiling)})"
    return Scope(
        name=nested.name,
        subject=nested.subject,
        floor=floor,
        ceiling=ceiling,
        formula=nested.formula,
        inversion=nested.inversion,
        children=tuple(_scope(child) for child in nested.children),
    )
