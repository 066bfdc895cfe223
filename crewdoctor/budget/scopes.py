"""Inventory and measurements to a ledger."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from crewdoctor import wording
from crewdoctor.budget.arithmetic import RATE_LIMIT_ATTEMPTS, longest, outlives, timeout_of
from crewdoctor.budget.hang import longest_hang
from crewdoctor.budget.ledger import Inversion, Ledger, LlmTerms, Nested
from crewdoctor.budget.limits import InForce, tool_limit
from crewdoctor.budget.outer import ending, outer_limits
from crewdoctor.budget.surroundings import around, outer_inversions
from crewdoctor.model.backoff import of_provider
from crewdoctor.model.inventory import AgentEntry, Inventory, LlmEntry, TaskEntry
from crewdoctor.model.recording import Recording
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Seconds, Setting, Timeout
from crewdoctor.model.span import FailureKind

DEFAULT_EXECUTIONS = 3
"""crewai `Agent.max_retry_limit` is 2 by default, so a failing task is executed three times (1.15.30)."""

RAISED_AT_ONCE = frozenset({"litellm"})
"""Providers whose exceptions end a task at once: crewai 1.15.30 (core.py) lets those of the litellm package through."""

OF_AN_AGENT = ("crew/manager_llm", "crew/planning_llm")
"""Models of agents crewai makes itself, with its own retries (1.15.30: crew.py, utilities/planning_handler.py)."""

AS_THE_CREW = frozenset({"crew.kickoff", "tool.isolated"})
"""Probes that run the user's own code with the user's own limits and nothing of ours around it."""


def ledger_of(recording: Recording) -> Ledger:
    """Compute the ledger. Empty where the target did not load."""
    inventory = recording.inventory
    if inventory is None:
        return Ledger()
    book = _Book(recording, inventory, {tool.subject: tool_limit(recording, tool.subject) for tool in inventory.tools})
    if not inventory.agents and not inventory.tasks:
        return _of_models_alone(book, inventory)
    agents = {agent.subject: book.agent(agent) for agent in inventory.agents}
    tasks = tuple(book.task(task, agents) for task in inventory.tasks) or tuple(agents.values())
    crew = book.crew(tasks)
    models = book.models()
    outers = outer_limits(recording)
    roots = (around(crew, outers),)
    book.inversions += outer_inversions(outers, models, book.tools, book.deadlines)
    return Ledger(
        roots=roots,
        inversions=tuple(book.inversions),
        models=models,
        tools=book.tools,
        deadlines=book.deadlines,
        owners=_owners(inventory),
        longest_hang=longest_hang(crew.ceiling, models, book.tools, ending(outers)),
        outers=outers,
    )


def _of_models_alone(book: _Book, inventory: Inventory) -> Ledger:
    """Without a crew nothing stands around a call."""
    alone = tuple(replace(book.terms_of(llm.subject), executions=1) for llm in inventory.llms)
    hang = longest_hang(longest(*(each.call for each in alone)), alone, {}).replace("this crew", "a call")
    return Ledger(roots=tuple(book.llm(each) for each in alone), models=alone, longest_hang=hang)


@dataclass(slots=True)
class _Book:
    recording: Recording
    inventory: Inventory
    tools: dict[str, InForce]
    inversions: list[Inversion] = field(default_factory=list)
    deadlines: dict[str, Setting] = field(default_factory=dict)
    once: frozenset[str] = frozenset()
    """Steps whose one call speaks for the crew."""

    def __post_init__(self) -> None:
        self.once = frozenset(each.step.id for each in self.recording.results if each.step.args.get("once"))
        self.deadlines = {
            agent.subject: setting
            for agent in self.inventory.agents
            if (setting := self.setting(agent.subject, "max_execution_time")) and isinstance(setting.value, Seconds)
        }

    def setting(self, subject: str, name: str) -> Setting | None:
        return next(
            (each for each in self.inventory.settings if each.subject == subject and each.name == name),
            None,
        )

    def terms(self, agent: AgentEntry) -> LlmTerms | None:
        if not agent.llm:
            return None
        return self.terms_of(agent.llm, agent.subject)

    def terms_of(self, llm: str, agent: str = "") -> LlmTerms:
        read = self.setting(llm, "timeout.read")
        # Some SDKs repeat a failure and not a silence; what bounds a silent provider is asked for here.
        retries = self.setting(llm, "max_retries.read") or self.setting(llm, "max_retries")
        again = self.setting(agent, "max_retry_limit")
        deadline = self.deadlines.get(agent)
        connect = self.setting(llm, "timeout.connect")
        entry = next((each for each in self.inventory.llms if each.subject == llm), None)
        provider = entry.provider if entry else ""
        return LlmTerms(
            subject=llm,
            agent=agent,
            read=timeout_of(read.value) if read else UNKNOWN,
            read_setting=read,
            retries=_count(retries, 0),
            retries_setting=retries,
            executions=1 if provider in RAISED_AT_ONCE else _count(again, DEFAULT_EXECUTIONS - 1) + 1,
            executions_setting=again,
            deadline=timeout_of(deadline.value) if deadline else UNKNOWN,
            connect=timeout_of(connect.value) if connect else None,
            addresses=1 + self._dropped(entry.endpoint) if entry else 1,
            counted=bool(agent and entry and self._counts_tokens(entry, agent)),
            policy=of_provider(provider),
            unread_retries=retries is not None and not isinstance(retries.value, int),
        )

    def _counts_tokens(self, llm: LlmEntry, agent: str) -> bool:
        """Whether the installed crewai asks this provider for a count of tokens before each call of this agent."""
        asks = self.inventory.environment.get("token_count_preflight") and llm.attrs.get("token_count_preflight")
        window = self.setting(agent, "respect_context_window")
        return bool(asks and window and window.value)

    def _dropped(self, host: str) -> int:
        """How many addresses of a host let every connect run into its timeout."""
        ended: dict[str, bool] = {}
        for span in self.recording.spans:
            if span.name == "tcp.connect" and f"host:{span.attrs.get('host')}:{span.attrs.get('port')}" == host:
                address = str(span.attrs.get("address", ""))
                lost = span.failure is not None and span.failure.kind is FailureKind.TIMEOUT_CONNECT
                ended[address] = lost and ended.get(address, True)
        return sum(ended.values())

    def models(self) -> tuple[LlmTerms, ...]:
        """Return the terms of every model: an agent's, then those of crewai's own agents and of single calls."""
        held = tuple(terms for agent in self.inventory.agents if (terms := self.terms(agent)))
        known = {terms.subject for terms in held}
        beside = [llm.subject for llm in self.inventory.llms if llm.known and llm.subject not in known]
        return held + tuple(
            terms if terms.subject in OF_AN_AGENT else replace(terms, executions=1)
            for terms in map(self.terms_of, beside)
        )

    def floor(self, name: str, subject: str) -> Timeout:
        """What the crew's own calls took: crewdoctor's have other timeouts, prompts and lengths of answer."""
        took = [
            span.end - span.start
            for span in self.recording.spans
            if span.name == name
            and span.subject == subject
            and span.end is not None
            and span.failure is None
            and (span.step.split("@", 1)[0] in AS_THE_CREW or span.step in self.once)
        ]
        return Seconds(min(took)) if took else UNKNOWN

    def llm(self, terms: LlmTerms) -> Nested:
        connect = self.setting(terms.subject, "timeout.connect")
        before = (
            f"; connecting may take {wording.limit(timeout_of(connect.value))} per address and again for TLS before it"
            if connect
            else ""
        )
        where = f" ({terms.read_setting.provenance.where})" if terms.read_setting else ""
        attempt = Nested(
            "attempt",
            terms.subject,
            self.floor("http.request", terms.subject),
            terms.attempt,
            f"timeout.read = {wording.limit(terms.read)}{where}, per read: trickling bytes never end it{before}",
        )
        return Nested(
            "llm call", terms.subject, self.floor("llm.call", terms.subject), terms.call, terms.call_formula, (attempt,)
        )

    def tool(self, subject: str) -> Nested:
        known = self.tools.get(subject, InForce())
        text = f"timeout = {wording.limit(known.timeout)}{f' ({known.where})' if known.where else ''}, per read"
        text = f"{known.formula}; {text}" if known.attempts != 1 else text
        if known.timeout is UNLIMITED:
            text = f"no timeout is set{f' ({known.where})' if known.where else ''}"
        elif known.timeout is UNKNOWN:
            text = "what bounds it is not known"
        return Nested("tool call", subject, self.floor("tool.call", subject), known.ceiling, text)

    def agent(self, agent: AgentEntry) -> Nested:
        terms = self.terms(agent)
        inner = ((self.llm(terms),) if terms else ()) + tuple(self.tool(tool) for tool in agent.tools)
        model = terms.task if terms else Seconds(0.0)
        ceiling = longest(model, *(child.ceiling for child in inner if child.name == "tool call"))
        formula = terms.formula if terms else "no model"
        if terms:
            again = int(self.inventory.environment.get("rate_limit_attempts", RATE_LIMIT_ATTEMPTS))
            formula += f"; on 429 {terms.executions * (again + terms.counted) * (terms.retries + 1)} requests at most"
        if terms is None or outlives(ceiling, model):
            formula = "as long as its tools"
        limit = self.deadlines.get(agent.subject)
        said = []
        if limit is not None:
            formula += (
                f"; max_execution_time = {wording.limit(limit.value)} does not interrupt (measured with crewai 1.15)"
            )
            said = [
                text
                for child in inner
                if (text := self._inverted(limit, child, terms if child.name == "llm call" else None))
            ]
        return Nested(
            "agent",
            agent.subject,
            self.floor("agent.execution", agent.subject),
            ceiling,
            formula,
            inner,
            limit,
            "; ".join(said),
        )

    def _inverted(self, outer: Setting, inner: Nested, terms: LlmTerms | None) -> str:
        value = timeout_of(outer.value)
        if not outlives(inner.ceiling, value):
            return ""
        known = self.tools.get(inner.subject, InForce())
        mine = terms.read_setting is not None and terms.read_setting.written if terms else known.written
        written = mine and isinstance(inner.ceiling, Seconds)
        ids = (outer.id, *(terms.ids if terms else known.ids))
        self.inversions.append(Inversion(outer, inner.subject, inner.ceiling, inner.formula, written, ids))
        lasts = "for ever" if inner.ceiling is UNLIMITED else wording.limit(inner.ceiling)
        return f"{inner.name} {inner.subject} can last {lasts}, limit {wording.limit(value)}"

    def task(self, task: TaskEntry, agents: dict[str, Nested]) -> Nested:
        agent = agents.get(task.agent)
        inner: tuple[Nested, ...] = (agent,) if agent else ()
        owned = {child.subject for child in agent.children} if agent else set()
        inner += tuple(self.tool(tool) for tool in task.tools if tool not in owned)
        ceiling = longest(*(child.ceiling for child in inner)) if inner else UNKNOWN
        guard = _count(self.setting(task.subject, "guardrail_max_retries"), 0)
        formula = "as long as its agent and tools" + (
            f"; a failing guardrail repeats it {guard} times" if guard else ""
        )
        return Nested("task", task.subject, self.floor("task.execution", task.subject), ceiling, formula, inner)

    def crew(self, tasks: tuple[Nested, ...]) -> Nested:
        subject = f"crew:{self.inventory.crew}" if self.inventory.crew else "crew"
        ceiling = longest(*(task.ceiling for task in tasks)) if tasks else UNKNOWN
        formula = "as long as its longest task: a task that fails for good ends the crew"
        return Nested("crew", subject, self.floor("crew.kickoff", subject), ceiling, formula, tasks)


def _owners(inventory: Inventory) -> dict[str, tuple[str, ...]]:
    owners: dict[str, list[str]] = {}
    for agent in inventory.agents:
        for tool in agent.tools:
            owners.setdefault(tool, []).append(agent.subject)
    for task in inventory.tasks:
        for tool in task.tools:
            if task.agent and task.agent not in owners.setdefault(tool, []):
                owners[tool].append(task.agent)
    return {tool: tuple(held) for tool, held in owners.items()}


def _count(setting: Setting | None, default: int) -> int:
    value = setting.value if setting else None
    return value if isinstance(value, int) and not isinstance(value, bool) else default
