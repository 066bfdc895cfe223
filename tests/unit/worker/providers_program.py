"""Run by test_providers.py in a process of its own: models of one provider described, and a crew of them embedded.

Prints one JSON object: `settings` (by name of the model: setting -> [value, where, note]), `entries`, `subjects`, and
what happened under the embedded endpoint: `raw`, `calls`, `connects`, `requests`, `class`, `kept`.
"""

import json
import os
import sys
import tempfile
from types import SimpleNamespace

kind, proxy = sys.argv[1:]
os.environ.update(
    CREWAI_DISABLE_TELEMETRY="true",
    CREWAI_TRACING_ENABLED="false",
    CREWAI_DISABLE_VERSION_CHECK="true",
    CREWAI_STORAGE_DIR=tempfile.mkdtemp(),
    HTTP_PROXY=proxy,
    HTTPS_PROXY=proxy,
    http_proxy=proxy,
    https_proxy=proxy,
)
connects: list[str] = []


def note(event: str, args: tuple) -> None:
    if event == "socket.connect" and isinstance(args[1], tuple):
        connects.append(f"{args[1][0]}:{args[1][1]}")
    if event == "socket.getaddrinfo":
        connects.append(f"lookup {args[0]}")


sys.addaudithook(note)

from crewai import LLM, Agent, Crew, Task  # noqa: E402
from crewai.tools import tool  # noqa: E402

from crewdoctor.endpoint.server import serving  # noqa: E402
from crewdoctor.wire.codec import encode  # noqa: E402
from crewdoctor.worker import providers  # noqa: E402
from crewdoctor.worker.construction import watched  # noqa: E402
from crewdoctor.worker.embedded import put_under  # noqa: E402
from crewdoctor.worker.provenance import Sources  # noqa: E402
from crewdoctor.worker.providers.bedrock import keep_from_metadata  # noqa: E402

calls: list[str] = []


@tool("look_up")
def look_up(query: str) -> str:
    """Look something up."""
    calls.append(query)
    return "found"


def anthropic():
    return {
        "bare": LLM(model="anthropic/claude-sonnet-4-5"),
        "written": LLM(model="anthropic/claude-sonnet-4-5", api_key="sk-ant-theirs", timeout=7, max_retries=1),
        "phases": LLM(model="anthropic/claude-sonnet-4-5", api_key="sk-ant-theirs", client_params={"timeout": 9}),
        "streamed": LLM(model="anthropic/claude-haiku-4-5", api_key="sk-ant-theirs", stream=True, temperature=0.25),
    }


def gemini():
    from google.genai import types

    options = {"http_options": types.HttpOptions(timeout=9000, retry_options=types.HttpRetryOptions(attempts=3))}
    key = {"api_key": "AIza-theirs"}
    return {
        "bare": LLM(model="gemini/gemini-2.5-flash"),
        "written": LLM(model="gemini/gemini-2.5-flash", timeout=7, max_retries=1, **key),
        "phases": LLM(model="gemini/gemini-2.0-flash", client_params=options, **key),
        "streamed": LLM(model="gemini/gemini-2.5-pro", stream=True, temperature=0.25, **key),
        "express": LLM(model="gemini/gemini-2.0-flash", client_params=options, use_vertexai=True, **key),
    }


def azure():
    key = {"endpoint": "https://theirs.openai.azure.com", "api_key": "theirs-key"}
    return {
        "bare": LLM(model="azure/gpt-4o"),
        "written": LLM(model="azure/gpt-4o", timeout=7, max_retries=1, **key),
        "streamed": LLM(model="azure/gpt-4o-mini", stream=True, temperature=0.25, **key),
        "responses": LLM(model="azure/gpt-4o", api="responses", timeout=9, max_retries=1, **key),
    }


def bedrock():
    key = {"aws_access_key_id": "AKtheirs", "aws_secret_access_key": "theirs", "region_name": "eu-west-1"}
    name = "bedrock/anthropic.claude-3-5-sonnet-20241022-v2:0"
    keep_from_metadata()
    return {
        "bare": LLM(model=name),
        "written": LLM(model=name, timeout=7, max_retries=1, **key),
        "streamed": LLM(model=name, stream=True, temperature=0.25, max_tokens=700, **key),
    }


def compatible():
    return {
        "bare": LLM(model="ollama/llama3", api_base="http://far.invalid:11434"),
        "written": LLM(model="openrouter/some/model", api_key="theirs", timeout=7, max_retries=1),
        "deepseek": LLM(model="deepseek/deepseek-chat", api_key="theirs", api_base="https://api.deepseek.com/v1"),
        "responses": LLM(model="openai/gpt-4o", api="responses", api_key="theirs", timeout=9),
        "snowflake": LLM(
            model="snowflake/claude-4-sonnet", api_key="theirs", account_url="https://x.snowflakecomputing.com"
        ),
    }


def litellm():
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    return {
        "bare": LLM(model="groq/llama-3.3-70b-versatile"),
        "written": LLM(model="groq/llama-3.3-70b-versatile", api_key="theirs", timeout=7, max_retries=1),
    }


with watched() as constructions:
    models = globals()[kind]()
sources = Sources(constructions)
settings, entries = {}, {}
for name, model in models.items():
    entry, held = providers.describe(model, name, sources)
    entries[name] = encode(entry)
    settings[name] = {each.name: [encode(each.value), each.provenance.where, each.note] for each in held}
before = len(connects)
agents = [
    Agent(role=name, goal="g", backstory="b", llm=model, tools=[look_up] if name == "written" else [])
    for name, model in models.items()
]
tasks = [Task(description=f"Study {each.role}", expected_output="a text", agent=each) for each in agents]
crew = Crew(agents=agents, tasks=tasks)
with serving() as served:
    subjects = put_under(SimpleNamespace(crew=crew), served.base_url)
    output = crew.kickoff()
    sys.stdout.write(
        "\n@@"
        + json.dumps(
            {
                "settings": settings,
                "entries": entries,
                "described": sorted(set(connects[:before])),
                "subjects": subjects,
                "raw": output.raw,
                "calls": calls,
                "connects": sorted(set(connects[before:])),
                "endpoint": served.base_url,
                "requests": [[each["path"], each["status"], each["tool"]] for each in served.seen.entries],
                "classes": sorted({type(each.llm).__name__ for each in agents}),
                "kept": {
                    str(each.role): [getattr(each.llm, name, None) for name in ("timeout", "stream", "temperature")]
                    for each in agents
                },
            }
        )
    )
