"""What a case is, and the pieces most of them are written with."""

from dataclasses import dataclass, field

CREW = """
from crewai import LLM, Agent, Crew, Process, Task
llm = LLM(model="openai/gpt-4o", base_url="http://127.0.0.1:9/v1", api_key="k-of-mine")
worker = Agent(role="Worker", goal="g", backstory="b", llm=llm)
job = Task(description="d", expected_output="e", agent=worker)
"""
MADE = "Crew(agents=[worker], tasks=[job])"
MAIN = "if __name__ == '__main__':\n    "


def body(text=CREW, by="    "):
    """The lines of `text` inside a function."""
    return text.strip().replace("\n", f"\n{by}")


@dataclass
class Case:
    """One project, and what loading it must come to."""

    name: str
    files: dict
    target: str = "crew.py"
    inputs: dict = field(default_factory=dict)
    environment: dict = field(default_factory=dict)
    llm: str = "own"
    seconds: float = 60
    shape: str = ""
    """Expected: how it was loaded; empty where it does not load."""
    notes: tuple = ()
    """Expected: words of what the report says was not looked at."""
    given: dict = field(default_factory=dict)
    """Expected: inputs the crew is given."""
    kind: str = ""
    """Expected: the kind of failure."""
    exit: int = 0
    """Expected exit code of a dry run."""
    sentence: str = ""
    """Expected: words of the reason."""
    way_out: str = ""
    """Expected: words of the way out."""
