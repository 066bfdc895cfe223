"""Crews written for another crewai."""

from loading_cases.case import CREW, MADE, Case


def old(name, text, sentence, way_out="", kind="other_version"):
    """A crew that the installed version refuses."""
    return Case(name, {"crew.py": text}, kind=kind, exit=3, sentence=sentence, way_out=way_out)


CASES = [
    old(
        "CrewAgentExecutor",
        "from crewai.agents import CrewAgentExecutor",
        "`from crewai.agents import CrewAgentExecutor` does not exist in crewai 1.15.30 (crew.py:1): "
        "crewai 1.15.22 still has it, 1.15.30 no longer",
        "crewai.agents.agent_executor",
    ),
    old(
        "its module",
        "from crewai.agents.crew_agent_executor import CrewAgentExecutor",
        "crewai 1.15.22 still has it, 1.15.30 no longer",
        "import AgentExecutor",
    ),
    old(
        "short-term memory",
        "from crewai.memory.short_term.short_term_memory import ShortTermMemory",
        "crewai 1.9.3 still has it, 1.10.1 no longer",
        "from crewai import Memory",
    ),
    old(
        "memory by name",
        "from crewai.memory import LongTermMemory",
        "crewai 1.9.3 still has it, 1.10.1 no longer",
        "from crewai import Memory",
    ),
    old(
        "events",
        "from crewai.utilities.events import crewai_event_bus",
        "crewai 0.203.2 still has it, 1.0.0 no longer",
        "from crewai.events import crewai_event_bus",
    ),
    old(
        "pipeline", "from crewai import Pipeline", "crewai 0.83.0 still has it, 0.86.0 no longer", "write it as a Flow"
    ),
    old(
        "name that moved",
        "from crewai import tool",
        "`from crewai import tool` does not exist in crewai 1.15.30 (crew.py:1)",
        "it lives in `crewai.tools` now: from crewai.tools import tool",
    ),
    old(
        "tool that left",
        "from crewai_tools import CodeInterpreterTool",
        "does not exist in crewai-tools 1.15.30 (crew.py:1): crewai-tools 1.0.0 still has it, 1.15.30 no longer",
    ),
    old(
        "tool's base class",
        "from crewai_tools import BaseTool",
        "crewai-tools 0.14.0 still has it, 0.40.1 no longer",
        "from crewai.tools import BaseTool",
    ),
    old(
        "name nobody knows",
        "from crewai.agents.executor_of_old import X",
        "`from crewai.agents.executor_of_old import X` does not exist in crewai 1.15.30 (crew.py:1)",
        "adapt it, or install the crewai it was written for",
    ),
    old(
        "LangChain model",
        f"class ChatOpenAI:\n    model_name = 'gpt-4'\n{CREW.replace('llm=llm', 'llm=ChatOpenAI()')}\ncrew = {MADE}",
        "takes any object (LangChain's models, too), 1.13.0 no longer",
        "LLM(model=..., ...)",
    ),
    old(
        "LangChain manager",
        f"class ChatOpenAI:\n    model_name = 'gpt-4'\n{CREW}\nCrew(agents=[worker], tasks=[job], "
        "process=Process.hierarchical, manager_llm=ChatOpenAI())",
        "1.13.0 no longer",
        "LLM(model=..., ...)",
    ),
    old(
        "langchain itself",
        f"from langchain.llms import OpenAI as llm\n{CREW}",
        "`langchain`, which is not installed (crew.py:1) (crewai 0.83.0 brings it along, 0.86.0 no longer)",
        "pip install langchain",
        kind="missing_package",
    ),
    old(
        "verbose=2",
        f"{CREW}\ncrew = Crew(agents=[worker], tasks=[job], verbose=2)",
        "`verbose`: Input should be a valid boolean, unable to interpret input; crewai 0.28.8 takes numbers",
        "verbose=True",
    ),
    old(
        "task without expected_output",
        f"{CREW}\nTask(description='d', agent=worker)",
        "`expected_output`: Field required; crewai 0.11.2 does without, 0.28.8 no longer",
        "expected_output=",
    ),
    old(
        "executor_class",
        f"{CREW}\nAgent(role='r', goal='g', backstory='b', llm=llm, executor_class='CrewAgentExecutor')",
        "CrewAgentExecutor has been removed",
        "AgentExecutor",
    ),
    old(
        "hierarchical without manager",
        f"{CREW}\nCrew(agents=[worker], tasks=[job], process=Process.hierarchical)",
        "Attribute `manager_llm` or `manager_agent` is required when using hierarchical process",
        "manager_llm=",
        kind="raises",
    ),
]
