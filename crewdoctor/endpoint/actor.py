"""Plays the agent: calls each offered tool once, one per turn, then answers. Who delegates does so to each coworker.

Prompts read here are those of crewai 1.0 to 1.15 (`translations/en.json`): native tools, the text form (`Action:` /
`Action Input:`), the forced final answer, and answers that must follow a schema named in the prompt.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from typing import Any

from crewdoctor.endpoint.arguments import Situation, coworkers, plausible, topic
from crewdoctor.endpoint.conversation import Conversation, Offered
from crewdoctor.endpoint.options import EndpointOptions, spelled
from crewdoctor.endpoint.typed_names import form_in, json_schema

_NAMES_IN_PROMPT = re.compile(r"(?:only one name of|should be one of) \[([^\]]*)\]|Available tools: ([^\n]+)\nYou may")
_ACTION = re.compile(r"^\s*Action\s*:\s*(.+?)\s*$", re.MULTILINE)
_DESCRIBED = re.compile(r"Tool Name: *(?P<name>[^\n]+)\nTool Arguments: *")
_SCHEMA_FOLLOWS = re.compile(r"OpenAPI schema:|format exactly:|JSON [Ss]chema[^:\n]{0,40}:")
MOST_COWORKERS = 6
"""Ours: a manager's `max_iter` (25) and somebody's patience."""
_MUST_FINISH = "MUST give your absolute best final answer"
_VERBATIM = re.compile(
    r"(?:[Rr]eturn|[Rr]eply with|[Aa]nswer with|[Ss]ay) (?:exactly |only |just )?['\"]([^'\"\n]{1,80})['\"]"
)


@dataclass(frozen=True, slots=True)
class Turn:
    """What the model does next: call one tool, or say something."""

    text: str = ""
    tool: str = ""
    arguments: str = ""
    """JSON."""
    named: str = ""
    """The tool called, whether natively or in text."""


def act(conversation: Conversation, options: EndpointOptions, page: str = "http://127.0.0.1/") -> Turn:
    """Decide the next turn; pure."""
    tool = _native(conversation, options)
    if tool is not None:
        arguments = json.dumps(_arguments(tool, conversation, options, page))
        return Turn(tool=tool.name, arguments=arguments, named=tool.name)
    written = _written(conversation, options)
    if written is not None:
        arguments = json.dumps(_arguments(written, conversation, options, page))
        text = f"Thought: I should use {written.name}.\nAction: {written.name}\nAction Input: {arguments}"
        return Turn(text=text, named=written.name)
    return Turn(text=_answer(conversation, page))


def _native(conversation: Conversation, options: EndpointOptions) -> Offered | None:
    """Return the tool to call through the API's own interface, or None to answer."""
    tools = conversation.tools
    if conversation.choice.startswith("="):
        return next((tool for tool in tools if tool.name == conversation.choice[1:]), None)
    if conversation.choice == "none" or _MUST_FINISH in conversation.text:
        return None
    allowed = [tool for tool in tools if not options.blocks(tool.name)]
    delegating = next((tool.name for tool in allowed if coworkers(tool.description)), "")
    fresh = [tool for tool in allowed if conversation.called.count(tool.name) < _turns(tool, delegating)]
    if conversation.choice == "required":
        return next(iter(fresh or allowed), None)
    return next(iter(fresh), None)


def _written(conversation: Conversation, options: EndpointOptions) -> Offered | None:
    """Return the tool to call in the text form, where the prompt asks for that form."""
    if conversation.tools or conversation.schema or _MUST_FINISH in conversation.text:
        return None
    found = _NAMES_IN_PROMPT.search(conversation.text)
    if found is None:
        return None
    names = [name.strip() for name in (found.group(1) or found.group(2)).split(",") if name.strip()]
    used = _written_before(conversation)
    allowed = [_described(name, conversation.text) for name in names if not options.blocks(name)]
    delegating = next((tool.name for tool in allowed if coworkers(tool.description)), "")
    return next((tool for tool in allowed if used.count(spelled(tool.name)) < _turns(tool, delegating)), None)


def _written_before(conversation: Conversation) -> list[str]:
    return [spelled(name) for name in _ACTION.findall(conversation.own_text)]


def _turns(tool: Offered, delegating: str) -> int:
    """How often a tool is called: the first that delegates once per coworker, so that the tools of each are seen."""
    return min(MOST_COWORKERS, len(coworkers(tool.description))) if tool.name == delegating else 1


def _described(name: str, text: str) -> Offered:
    """Find a tool's schema and description in the prompt that lists the tools."""
    for found in _DESCRIBED.finditer(text):
        if spelled(found.group("name")) == spelled(name):
            rest = text[found.end() :]
            description = rest.partition("Tool Description:")[2].partition("\nTool Name:")[0]
            return Offered(name, description.strip(), json_schema(_literal(rest) or {}))
    return Offered(name, "", {})


def _arguments(tool: Offered, conversation: Conversation, options: EndpointOptions, page: str) -> Any:
    given = options.given(tool.name)
    if given is not None:
        return given
    before = conversation.called.count(tool.name) or _written_before(conversation).count(spelled(tool.name))
    situation = Situation(conversation.text, conversation.asked, tool.description, page=page, before=before)
    return plausible(tool.schema, situation) or {}


def _answer(conversation: Conversation, page: str) -> str:
    situation = Situation(conversation.text, conversation.asked, page=page)
    schema = conversation.schema or _schema_in(conversation.text)
    if schema is not None:
        body = json.dumps(plausible(schema, situation))
    elif conversation.json:
        body = json.dumps({"answer": _sentence(conversation)})
    else:
        body = _sentence(conversation)
    if "Final Answer:" in conversation.text and conversation.schema is None and not conversation.json:
        return f"Thought: I now know the final answer\nFinal Answer: {body}"
    return body


def _schema_in(text: str) -> dict[str, Any] | None:
    """Return the JSON Schema a prompt asks the answer to follow, or None."""
    for found in _SCHEMA_FOLLOWS.finditer(text):
        read = _literal(text[found.end() : found.end() + 40_000])
        inner = (read or {}).get("json_schema") or read or {}
        schema = inner.get("schema") or inner
        if isinstance(schema, dict) and ("properties" in schema or "type" in schema or "$ref" in schema):
            return schema
    return form_in(text)


def _literal(text: str) -> dict[str, Any] | None:
    """Read the first object in `text`, JSON or Python."""
    start = text.find("{")
    if start < 0:
        return None
    try:
        read, _ = json.JSONDecoder().raw_decode(text[start:])
    except ValueError:
        read = _python_literal(text[start:])
    return read if isinstance(read, dict) else None


def _python_literal(text: str) -> Any:
    depth = 0
    for index, letter in enumerate(text):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth == 0:
            try:
                return ast.literal_eval(text[: index + 1])
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                return None
    return None


def _sentence(conversation: Conversation) -> str:
    verbatim = _VERBATIM.search(conversation.text)
    if verbatim:
        return verbatim.group(1)
    used = list(dict.fromkeys((*conversation.called, *_ACTION.findall(conversation.own_text))))
    tools = f"; tools used: {', '.join(used)}" if used else ""
    return f"Simulated answer about {topic(conversation.asked)!r}: done as far as a simulated model can{tools}."
