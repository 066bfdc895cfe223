"""What left crewai, and between which versions: read off the published packages, never remembered.

Each row names the last package looked at that has the name and the first one that has it no more; the move lies
between the two. `instead` is what the installed 1.15.30 was seen to offer.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moved:
    """One name, and what became of it."""

    last: str = ""
    """The last version seen with it; empty where it is no matter of versions."""
    gone: str = ""
    """The first version seen without it."""
    instead: str = ""
    verb: str = "still has it"

    @property
    def sentence(self) -> str:
        """The versions in words, an empty string for none."""
        return f"{self.package} {self.last} {self.verb}, {self.gone} no longer" if self.last else ""

    package: str = "crewai"


_MEMORY = Moved("1.9.3", "1.10.1", "one class took over: from crewai import Memory; Crew(memory=Memory(...))")
_EVENTS = Moved("0.203.2", "1.0.0", "events live in `crewai.events` now: from crewai.events import crewai_event_bus")
_PIPELINE = Moved("0.83.0", "0.86.0", "write it as a Flow: from crewai.flow.flow import Flow, listen, start")
_EXECUTOR = Moved("1.15.22", "1.15.30", "from crewai.agents.agent_executor import AgentExecutor")
_EMBEDDER = Moved(
    "0.150.0", "0.165.1", 'name the embedder in the crew: Crew(embedder={"provider": ..., "config": {...}})'
)
_PARSER = Moved("0.175.0", "0.203.2")
_VISUAL = Moved("1.2.1", "1.6.1", "plot a Flow with its own method: MyFlow().plot()")

_MODEL = Moved(
    "1.11.0",
    "1.13.0",
    'name the model: llm="openai/gpt-4o", or LLM(model=..., ...); a class of your own derives from crewai.BaseLLM',
    "takes any object (LangChain's models, too)",
)

IMPORTS: dict[tuple[str, str], Moved] = {
    ("crewai", "Pipeline"): _PIPELINE,
    ("crewai", "Router"): _PIPELINE,
    ("crewai", "Telemetry"): Moved("1.13.0", "1.14.7"),
    ("crewai.agent", "CrewAgentExecutor"): Moved("1.2.1", "1.6.1", _EXECUTOR.instead),
    ("crewai.agents", "CrewAgentExecutor"): _EXECUTOR,
    ("crewai.agents", "CrewAgentParser"): _PARSER,
    ("crewai.agents.crew_agent_executor", ""): _EXECUTOR,
    ("crewai.agents.executor", ""): Moved("0.55.2", "0.61.0", _EXECUTOR.instead),
    ("crewai.agents.parser", "CrewAgentParser"): _PARSER,
    ("crewai.experimental.agent_executor", ""): _EXECUTOR,
    ("crewai.flow.flow_events", ""): Moved("0.102.0", "0.108.0", _EVENTS.instead),
    ("crewai.flow.flow_visualizer", ""): _VISUAL,
    ("crewai.flow.visualization_utils", ""): _VISUAL,
    ("crewai.knowledge.embedder", ""): _EMBEDDER,
    ("crewai.llms.third_party", ""): Moved("1.11.0", "1.13.0"),
    ("crewai.memory", "EntityMemory"): _MEMORY,
    ("crewai.memory", "ExternalMemory"): _MEMORY,
    ("crewai.memory", "LongTermMemory"): _MEMORY,
    ("crewai.memory", "ShortTermMemory"): _MEMORY,
    ("crewai.memory", "UserMemory"): Moved("0.150.0", "0.165.1", _MEMORY.instead),
    ("crewai.memory.contextual", ""): _MEMORY,
    ("crewai.memory.entity", ""): _MEMORY,
    ("crewai.memory.external", ""): _MEMORY,
    ("crewai.memory.long_term", ""): _MEMORY,
    ("crewai.memory.memory", ""): _MEMORY,
    ("crewai.memory.short_term", ""): _MEMORY,
    ("crewai.memory.storage.ltm_sqlite_storage", ""): _MEMORY,
    ("crewai.memory.storage.mem0_storage", ""): _MEMORY,
    ("crewai.memory.storage.rag_storage", ""): _MEMORY,
    ("crewai.memory.user", ""): Moved("0.150.0", "0.165.1", _MEMORY.instead),
    ("crewai.pipeline", ""): _PIPELINE,
    ("crewai.project", "PipelineBase"): _PIPELINE,
    ("crewai.project", "pipeline"): _PIPELINE,
    ("crewai.routers", ""): _PIPELINE,
    ("crewai.tools.agent_tools", "AgentTools"): Moved(
        "0.70.1", "0.83.0", "from crewai.tools.agent_tools.agent_tools import AgentTools"
    ),
    ("crewai.tools.tool_usage_events", ""): Moved("0.102.0", "0.108.0", _EVENTS.instead),
    ("crewai.utilities.embedding_configurator", ""): _EMBEDDER,
    ("crewai.utilities.events", ""): _EVENTS,
    ("crewai.utilities.parser", ""): _PARSER,
    ("crewai.utilities.pydantic_schema_parser", ""): Moved("1.6.1", "1.9.3"),
    ("crewai_tools", "BaseTool"): Moved("0.14.0", "0.40.1", package="crewai-tools"),
    ("crewai_tools", "CodeInterpreterTool"): Moved("1.0.0", "1.15.30", package="crewai-tools"),
    ("crewai_tools", "CrewaiEnterpriseTools"): Moved("0.76.0", "1.0.0", package="crewai-tools"),
    ("crewai_tools", "PGSearchTool"): Moved("0.76.0", "1.0.0", package="crewai-tools"),
    ("crewai_tools", "SeperDevTool"): Moved(
        "0.0.12",
        "0.14.0",
        "it is spelled SerperDevTool: from crewai_tools import SerperDevTool",
        package="crewai-tools",
    ),
    ("crewai_tools", "Tool"): Moved("0.14.0", "0.40.1", package="crewai-tools"),
}
"""(module, name) to what became of it; an empty name is the module itself, and everything beneath it."""

FIELDS: dict[tuple[str, str], Moved] = {
    ("Agent", "llm"): _MODEL,
    ("Crew", "manager_llm"): _MODEL,
    ("Agent", "executor_class"): Moved("1.15.22", "1.15.30", _EXECUTOR.instead, "still has CrewAgentExecutor"),
    ("Crew", "verbose"): Moved("0.28.8", "0.51.1", "verbose=True", "takes numbers"),
    ("Task", "expected_output"): Moved(
        "0.11.2", "0.28.8", "say what the task is to give: Task(..., expected_output=...)", "does without"
    ),
}
"""(class, field) that the installed version refuses, to what became of it."""

WHOLE: dict[str, Moved] = {
    "`manager_llm` or `manager_agent` is required": Moved(
        instead='give the hierarchical crew a manager: Crew(..., manager_llm="openai/gpt-4o")'
    ),
}
"""Words of a refusal that names no field, to the way out."""

BROUGHT: dict[str, Moved] = {
    "langchain": Moved("0.83.0", "0.86.0", verb="brings it along"),
    "litellm": Moved("0.203.2", "1.0.0", verb="brings it along"),
}
"""Packages that once came with crewai."""
