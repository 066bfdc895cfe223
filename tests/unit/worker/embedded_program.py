"""Run by test_embedded.py in a process of its own: a crew put under the embedded endpoint, every connect reported."""

import json
import os
import sys
import tempfile
from types import SimpleNamespace

elsewhere, proxy = sys.argv[1:]
os.environ.update(
    CREWAI_DISABLE_TELEMETRY="true",
    CREWAI_TRACING_ENABLED="false",
    CREWAI_DISABLE_VERSION_CHECK="true",
    CREWAI_STORAGE_DIR=tempfile.mkdtemp(),
    OPENAI_API_KEY="sk-real",
    OPENAI_BASE_URL=elsewhere,
    HTTP_PROXY=proxy,
    HTTPS_PROXY=proxy,
    http_proxy=proxy,
)
os.environ.pop("NO_PROXY", None)
os.environ.pop("no_proxy", None)

connects: list[str] = []


def note(event: str, args: tuple) -> None:
    if event == "socket.connect" and isinstance(args[1], tuple):
        connects.append(f"{args[1][0]}:{args[1][1]}")
    if event == "socket.getaddrinfo":
        connects.append(f"lookup {args[0]}")


from crewai import LLM, Agent, Crew, Process, Task  # noqa: E402
from crewai.tools import tool  # noqa: E402

from crewdoctor.endpoint.server import serving  # noqa: E402
from crewdoctor.worker.embedded import put_under  # noqa: E402

calls: list[str] = []


@tool("look_up")
def look_up(query: str) -> str:
    """Look something up."""
    calls.append(query)
    return "found"


explicit = LLM(model="gpt-4o", base_url=elsewhere, api_key="sk-theirs", timeout=7, max_retries=1, temperature=0.25)
streamed = LLM(model="ollama/llama3", base_url=elsewhere, timeout=9, stream=True)
searcher = Agent(role="Searcher ", goal="g", backstory="b", llm=explicit, tools=[look_up])
writer = Agent(role="Writer", goal="g", backstory="b", llm="gpt-4o-mini")
reader = Agent(role="Reader", goal="g", backstory="b", llm=streamed)
tasks = [
    Task(description="Find the price of tea", expected_output="a price", agent=searcher, guardrail="is polite"),
    Task(description="Write it down", expected_output="a text", agent=writer),
    Task(description="Read it", expected_output="a text", agent=reader),
]
crew = Crew(
    agents=[searcher, writer, reader],
    tasks=tasks,
    process=Process.sequential,
    planning=True,
    memory=True,
    chat_llm="gpt-4o",
)
before = explicit._get_sync_client()

with serving() as served:
    sys.addaudithook(note)
    subjects = put_under(SimpleNamespace(crew=crew), served.base_url)
    output = crew.kickoff()
    client = searcher.llm._get_sync_client()
    sys.stdout.write(
        "\n@@"
        + json.dumps(
            {
                "subjects": subjects,
                "raw": output.raw,
                "calls": calls,
                "connects": sorted(set(connects)),
                "endpoint": served.base_url,
                "requests": [[each["path"], each["status"]] for each in served.seen.entries],
                "same_client": client is before,
                "timeout": client.timeout,
                "retries": client.max_retries,
                "temperature": searcher.llm.temperature,
                "class": type(reader.llm).__name__,
                "reader": [reader.llm.timeout, reader.llm.stream, reader.llm.model],
                "original": [str(explicit.base_url), explicit.api_key],
                "keys": sorted({each.llm.api_key for each in (searcher, writer, reader)}),
            }
        )
    )
