"""Run by test_crews.py in a process of its own: crews of every shape on the embedded endpoint, one JSON line each."""

import json
import os
import sys
import tempfile

os.environ.update(
    CREWAI_DISABLE_TELEMETRY="true",
    CREWAI_TRACING_ENABLED="false",
    CREWAI_DISABLE_VERSION_CHECK="true",
    CREWAI_STORAGE_DIR=tempfile.mkdtemp(),
)

from crewai import LLM, Agent, Crew, Process, Task
from crewai.llms.providers.openai.completion import OpenAICompletion
from crewai.tools import tool
from pydantic import BaseModel

from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.server import serving

calls: list[list] = []


class Report(BaseModel):
    title: str
    score: int
    tags: list[str]


class Textual(OpenAICompletion):
    """A model without native tools: crewai then asks in the text form."""

    def supports_function_calling(self) -> bool:
        return False


@tool("Search The Web")
def search(query: str, limit: int = 5) -> str:
    """Search the web."""
    calls.append(["search", query, limit])
    return "found"


@tool("Write File")
def write(path: str, text: str | None = None) -> str:
    """Write a file."""
    calls.append(["write", path, text])
    return "written"


def run(name, served, *, tools=(search,), model=None, crew=None, task=None, agent=None, second=False):
    model = model or LLM(model="gpt-4o", base_url=served.base_url, api_key="k")
    worker = Agent(role="Researcher", goal="g", backstory="b", tools=list(tools), llm=model, **(agent or {}))
    agents = [worker]
    hierarchical = (crew or {}).get("process") is Process.hierarchical
    holder = None if hierarchical else worker
    tasks = [Task(description="Study the price of tea.", expected_output="a report", agent=holder, **(task or {}))]
    if second:
        agents.append(Agent(role="Writer", goal="g", backstory="b", llm=model))
        tasks.append(Task(description="Write it.", expected_output="a text", agent=None if hierarchical else agents[1]))
    before = len(served.seen.entries)
    output = Crew(agents=agents, tasks=tasks, **(crew or {})).kickoff()
    seen = list(served.seen.entries)[before:]
    said = {
        "name": name,
        "raw": output.raw,
        "pydantic": output.pydantic.model_dump() if output.pydantic else None,
        "calls": list(calls),
        "requests": [
            [each["path"].removeprefix("/v1/"), each["status"], each["tool"], each["stream"]] for each in seen
        ],
    }
    calls.clear()
    sys.stdout.write("\n@@" + json.dumps(said) + "\n")


with serving() as plain, serving(EndpointOptions(blocked_tools=("Write File",))) as guarded:

    def llm(**arguments):
        return LLM(model="gpt-4o", base_url=plain.base_url, api_key="k", **arguments)

    run("native", plain, tools=(search, write))
    run("text", plain, tools=(search, write), model=Textual(model="gpt-4o", base_url=plain.base_url, api_key="k"))
    run("blocked", guarded, tools=(search, write))
    run("stream", plain, model=llm(stream=True))
    run("responses", plain, model=llm(api="responses"))
    run("no tools", plain, tools=())
    run("pydantic", plain, task={"output_pydantic": Report})
    run("pydantic without tools", plain, tools=(), task={"output_pydantic": Report})
    run("guardrail", plain, task={"guardrail": "must be polite"})
    run("crew planning", plain, crew={"planning": True, "planning_llm": llm()})
    run("agent planning", plain, agent={"planning": True})
    run("hierarchical", plain, crew={"process": Process.hierarchical, "manager_llm": llm()}, second=True)
    run("delegation", plain, agent={"allow_delegation": True}, second=True)
