"""Crews and Flows written as JSON, JSONC and YAML."""

import json

from loading_cases.case import Case

LLM = {"model": "openai/gpt-4o", "base_url": "http://127.0.0.1:9/v1", "api_key": "k-of-mine"}
AGENT = {"role": "Writer on {topic}", "goal": "g", "backstory": "b", "llm": LLM}
TASK = {"name": "write", "description": "d on {topic}", "expected_output": "e", "agent": "writer"}
CREW = {"name": "post", "agents": ["writer"], "tasks": [TASK], "inputs": {"topic": "AI"}}
JSONC = {
    "pyproject.toml": "[project]\nname = 'post'\n[tool.crewai]\ntype = 'crew'\ndefinition = 'crew.jsonc'\n",
    "crew.jsonc": "// what crewai create crew writes\n" + json.dumps(CREW),
    "agents/writer.jsonc": json.dumps(AGENT) + "\n",
}
YAML = f"""
agents:
  writer: {json.dumps(AGENT)}
tasks: [{json.dumps(TASK)}]
inputs: {{topic: Rome}}
"""
FLOW = """
schema: crewai.flow/v1
name: Posts
state:
  type: dict
  default: {topic: AI agents}
methods:
  write:
    start: true
    do:
      call: crew
      inputs: {topic: "${state.topic}"}
      from_declaration: crew.jsonc
"""

CASES = [
    Case("crew.jsonc", JSONC, "crew.jsonc", shape="definition", given={"topic": "AI"}),
    Case("its folder", JSONC, ".", shape="definition", given={"topic": "AI"}),
    Case(
        "crew.json, inputs given",
        {"crew.json": json.dumps(CREW), "agents/writer.json": json.dumps(AGENT)},
        "crew.json",
        inputs={"topic": "Oslo"},
        shape="definition",
        given={"topic": "Oslo"},
    ),
    Case("crew.yaml", {"crew.yaml": YAML}, "crew.yaml", shape="definition", given={"topic": "Rome"}),
    Case("flow.yaml", {**JSONC, "flow.yaml": FLOW}, "flow.yaml", shape="flow", given={"topic": "AI agents"}),
    Case(
        "agent file missing",
        {"crew.json": json.dumps(CREW)},
        "crew.json",
        kind="definition",
        exit=3,
        sentence="crewai refuses crew.json",
        way_out="correct the definition",
    ),
    Case(
        "broken JSON",
        {"crew.json": '{"agents": ['},
        "crew.json",
        kind="definition",
        exit=3,
        sentence="crew.json cannot be read",
        way_out="correct it",
    ),
    Case(
        "agents.yaml alone",
        {"config/agents.yaml": "writer: {role: r}\n"},
        "config/agents.yaml",
        kind="definition",
        exit=2,
        sentence="agents.yaml defines no crew and no Flow: it has no `agents` and `tasks`",
        way_out="crew.py",
    ),
    Case(
        "key of a provider missing",
        {"crew.json": json.dumps(CREW), "agents/writer.json": json.dumps({**AGENT, "llm": "openrouter/a/b"})},
        "crew.json",
        kind="missing_variable",
        exit=3,
        sentence="OPENROUTER_API_KEY",
        way_out="export",
    ),
]
