"""What a target consists of: the crew, its agents, tools, models, endpoints and the settings in force."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crewdoctor.model.setting import Location, Setting


@dataclass(frozen=True, slots=True)
class ToolEntry:
    """A tool some agent or task may call. Subject: `tool:<name>`."""

    subject: str
    name: str
    kind: str
    """Qualified class name, `function` for `@tool`."""
    location: Location | None
    """Where the tool's own code (its `_run` or function) is defined."""
    schema: dict[str, Any] = field(default_factory=dict)
    """JSON Schema of the arguments."""
    owners: tuple[str, ...] = ()
    """Subjects of the agents and tasks that hold it."""
    endpoints: tuple[str, ...] = ()
    """Subjects of the endpoints found in its source or attributes."""
    writes: bool | None = None
    """True where the source says it changes the world, False for known readers, None: decided at the wire."""


@dataclass(frozen=True, slots=True)
class LlmEntry:
    """A model some part of the crew talks to. Subject: `agent:researcher/llm`, `crew/manager_llm`."""

    subject: str
    model: str
    provider: str
    """`openai`, `openai-compatible`, ... or the class name of a foreign wrapper."""
    known: bool
    """False: nothing below can be read from it; every setting is UNKNOWN, and no probe claims it is fine."""
    endpoint: str = ""
    """Subject of its endpoint, empty when unknown."""
    users: tuple[str, ...] = ()
    """All subjects that share this very configuration."""
    usable_key: bool | None = None
    attrs: dict[str, Any] = field(default_factory=dict)
    """Parameters for raw calls: `base_url`, `stream`, `temperature`, `max_tokens`, `api` (chat|responses|messages).

    Of another provider than OpenAI also `library` (its HTTP client) and `key_variable`; `raw` False: it has no SDK.
    """


@dataclass(frozen=True, slots=True)
class AgentEntry:
    """An agent. Subject: `agent:<role>`."""

    subject: str
    role: str
    llm: str
    """Subject of its LLM, empty for none."""
    tools: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    location: Location | None = None
    prompt_chars: int = 0
    """Length of role + goal + backstory: the floor of a realistic prompt."""


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """A task. Subject: `task:<name or index>`."""

    subject: str
    agent: str
    tools: tuple[str, ...] = ()
    async_execution: bool = False
    human_input: bool = False
    prompt_chars: int = 0
    output_file: str = ""
    """Where crewai writes its result, as written."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and port something of the crew connects to. Subject: `host:<host>:<port>`."""

    subject: str
    scheme: str
    host: str
    port: int
    kind: str
    """`llm tool mcp memory proxy telemetry`"""
    used_by: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    """Client libraries that will connect: `httpx requests aiohttp urllib` ..., decides proxy and trust store."""
    source: str = ""
    """How it was found: `llm base_url`, `tools.py:57`, `env HTTPS_PROXY`."""
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class ScanEntry:
    """A call in the user's source that can wait, found without running it."""

    location: Location
    client: str
    """`requests`, `httpx`, `urllib`, `subprocess`, ..."""
    call: str
    """As written: `requests.get`."""
    timeout: Any
    """Wire form of a Timeout: {"timeout": 5.0}, {"timeout": "unlimited"}, {"timeout": "unknown"}."""
    subjects: tuple[str, ...] = ()
    """The tools whose code reaches this line."""
    url: str = ""
    program: str = ""
    """Of a child process: its program, where that talks to the network and is told no limit of its own."""
    attempts: int = 1
    """How often the wait may be begun, by retries of the client or a decorator; 0: until it succeeds."""
    slept: float = 0.0
    """Seconds slept between those, at most."""


@dataclass(frozen=True, slots=True)
class KickoffEntry:
    """A place in the user's source that starts the crew several times at once."""

    style: str
    """`threads async-each akickoff-each gather processes`"""
    location: Location
    pool: str = ""
    """Who bounds it: the `default` executor, a `sized` one, one of `unknown` size; empty: nobody."""
    workers: int = 0
    """Of a `sized` one."""


@dataclass(frozen=True, slots=True)
class Unexamined:
    """Something of the crew that this version cannot look into. Unknown is never shown as fine."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything known of the target before any traffic."""

    target: str
    crew: str
    project_root: str
    shape: str
    """How it was loaded: `module`, `crewbase`, `factory`, `kickoff captured`."""
    process: str = "sequential"
    versions: dict[str, str] = field(default_factory=dict)
    python: str = ""
    agents: tuple[AgentEntry, ...] = ()
    tasks: tuple[TaskEntry, ...] = ()
    tools: tuple[ToolEntry, ...] = ()
    llms: tuple[LlmEntry, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    settings: tuple[Setting, ...] = ()
    scan: tuple[ScanEntry, ...] = ()
    inputs_required: tuple[str, ...] = ()
    inputs_given: tuple[str, ...] = ()
    inputs_from: dict[str, str] = field(default_factory=dict)
    """Name of an input or argument that nobody gave to crewdoctor, to where its value came from."""
    unexamined: tuple[Unexamined, ...] = ()
    kickoffs: KickoffEntry | None = None
    """How its source starts it many times; None: nowhere that was seen."""
    environment: dict[str, Any] = field(default_factory=dict)
    """Facts about the machine: cpus, load, proxies (redacted), tty, cgroup limits."""
