"""One request for an answer, whichever API it came through: what is said, offered, already called, and wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool the model may call."""

    name: str
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the actor reads."""

    said: tuple[tuple[str, str], ...]
    """(role, text) in order."""
    tools: tuple[Offered, ...] = ()
    called: tuple[str, ...] = ()
    """Tools already called in this conversation through the native interface, in order."""
    choice: str = "auto"
    """`auto none required`, or `=<name>` of the one tool that must be called."""
    schema: dict[str, Any] | None = None
    """JSON Schema the answer must satisfy."""
    json: bool = False
    """The answer must be some JSON object."""
    limit: int | None = None
    """At most so many tokens."""

    @property
    def text(self) -> str:
        """Everything that was said to the model."""
        return "\n".join(text for role, text in self.said if role != "assistant")

    @property
    def own_text(self) -> str:
        """Everything the model said itself."""
        return "\n".join(text for role, text in self.said if role == "assistant")

    @property
    def asked(self) -> str:
        """The first thing a person said."""
        return next((text for role, text in self.said if role == "user"), self.text)


def flattened(content: Any) -> str:
    """Text of a message's content: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))


def _limit(body: Mapping[str, Any], *names: str) -> int | None:
    return next((value for name in names if isinstance(value := body.get(name), int) and value > 0), None)


def from_chat(body: Mapping[str, Any]) -> Conversation:
    """Read the body of `/v1/chat/completions`."""
    messages = [each for each in body.get("messages") or () if isinstance(each, dict)]
    form = body.get("response_format") or {}
    calls = [call for each in messages for call in each.get("tool_calls") or ()]
    chosen = body.get("tool_choice") or "auto"
    offered = [tool.get("function") or {} for tool in body.get("tools") or () if isinstance(tool, dict)]
    return Conversation(
        said=tuple((str(each.get("role")), flattened(each.get("content"))) for each in messages),
        tools=_offered(offered),
        called=tuple(str((call.get("function") or {}).get("name")) for call in calls),
        choice=chosen if isinstance(chosen, str) else "=" + str((chosen.get("function") or {}).get("name")),
        schema=(form.get("json_schema") or {}).get("schema") if form.get("type") == "json_schema" else None,
        json=form.get("type") == "json_object",
        limit=_limit(body, "max_completion_tokens", "max_tokens"),
    )


def from_responses(body: Mapping[str, Any], earlier: tuple[str, ...] = ()) -> Conversation:
    """Read the body of `/v1/responses`; `earlier`: tools called in the responses this one continues."""
    given = body.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else list(given or ())
    said = [("system", str(body["instructions"]))] if body.get("instructions") else []
    called = list(earlier)
    for item in items:
        if item.get("type") == "function_call":
            called.append(str(item.get("name")))
        elif "role" in item:
            said.append((str(item["role"]), flattened(item.get("content"))))
        elif item.get("type") == "function_call_output":
            said.append(("tool", flattened(item.get("output"))))
    form = (body.get("text") or {}).get("format") or {}
    chosen = body.get("tool_choice") or "auto"
    return Conversation(
        said=tuple(said),
        tools=_offered(tool for tool in body.get("tools") or () if tool.get("type") == "function"),
        called=tuple(called),
        choice=chosen if isinstance(chosen, str) else "=" + str(chosen.get("name")),
        schema=form.get("schema") if form.get("type") == "json_schema" else None,
        json=form.get("type") == "json_object",
        limit=_limit(body, "max_output_tokens"),
    )


def from_messages(body: Mapping[str, Any]) -> Conversation:
    """Read the body of Anthropic's `/v1/messages`: tools are called and answered in blocks of a message."""
    said = [("system", flattened(body["system"]))] if body.get("system") else []
    called: list[str] = []
    for message in body.get("messages") or ():
        role, content = str(message.get("role")), message.get("content")
        said.append((role, flattened(content)))
        for block in content if isinstance(content, list) else ():
            if block.get("type") == "tool_use":
                called.append(str(block.get("name")))
            elif block.get("type") == "tool_result":
                said.append(("tool", flattened(block.get("content"))))
    form = body.get("output_format") or (body.get("output_config") or {}).get("format") or {}
    chosen = body.get("tool_choice") or {}
    kind = str(chosen.get("type") or "auto")
    tools = [tool for tool in body.get("tools") or () if isinstance(tool, dict) and "input_schema" in tool]
    return Conversation(
        said=tuple(said),
        tools=_offered({**tool, "parameters": tool["input_schema"]} for tool in tools),
        called=tuple(called),
        choice={"any": "required", "tool": f"={chosen.get('name')}"}.get(kind, kind),
        schema=form.get("schema") if form.get("type") == "json_schema" else None,
        limit=_limit(body, "max_tokens"),
    )


def from_contents(body: Mapping[str, Any]) -> Conversation:
    """Read the body of Gemini's `generateContent`: calls and their results are parts; its types may be upper case."""
    system = body.get("systemInstruction") or {}
    said = [("system", flattened(system.get("parts")))] if system else []
    called: list[str] = []
    for content in body.get("contents") or ():
        role = "assistant" if content.get("role") == "model" else str(content.get("role") or "user")
        parts = [part for part in content.get("parts") or () if isinstance(part, dict)]
        said.append((role, flattened([part for part in parts if "text" in part])))
        called += [str(part["functionCall"].get("name")) for part in parts if part.get("functionCall")]
        said += [("tool", str(part["functionResponse"])) for part in parts if part.get("functionResponse")]
    offered = [each for tool in body.get("tools") or () for each in tool.get("functionDeclarations") or ()]
    form = body.get("generationConfig") or {}
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    schema = _first_of(form, "responseJsonSchema", "response_json_schema", "responseSchema")
    return Conversation(
        said=tuple(said),
        tools=_offered(
            {**each, "parameters": lowered(_first_of(each, *_PARAMETERS)) or {"type": "object"}} for each in offered
        ),
        called=tuple(called),
        choice={"ANY": "required", "NONE": "none"}.get(str(calling.get("mode")), "auto"),
        schema=lowered(schema),
        json=form.get("responseMimeType") == "application/json",
        limit=_limit(form, "maxOutputTokens"),
    )


def from_converse(body: Mapping[str, Any]) -> Conversation:
    """Read the body of Bedrock's `converse`."""
    said = [("system", flattened(body["system"]))] if body.get("system") else []
    called: list[str] = []
    for message in body.get("messages") or ():
        blocks = [block for block in message.get("content") or () if isinstance(block, dict)]
        said.append((str(message.get("role")), flattened(blocks)))
        called += [str(block["toolUse"].get("name")) for block in blocks if block.get("toolUse")]
        said += [("tool", str(block["toolResult"].get("content"))) for block in blocks if block.get("toolResult")]
    config = body.get("toolConfig") or {}
    offered = [tool["toolSpec"] for tool in config.get("tools") or () if tool.get("toolSpec")]
    chosen = config.get("toolChoice") or {}
    named = f"={chosen['tool'].get('name')}" if chosen.get("tool") else "required" if "any" in chosen else "auto"
    return Conversation(
        said=tuple(said),
        tools=_offered({**each, "parameters": (each.get("inputSchema") or {}).get("json")} for each in offered),
        called=tuple(called),
        choice=named,
        limit=_limit(body.get("inferenceConfig") or {}, "maxTokens"),
    )


_PARAMETERS = ("parametersJsonSchema", "parameters_json_schema", "parameters")
"""Google takes both spellings, and its SDK (1.65) sends both."""


def _first_of(held: Mapping[str, Any], *names: str) -> Any:
    return next((held[name] for name in names if held.get(name)), None)


def lowered(schema: Any) -> Any:
    """A schema whose types are written `STRING`, as JSON Schema writes them."""
    if isinstance(schema, list):
        return [lowered(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: value.lower() if name == "type" and isinstance(value, str) else lowered(value)
        for name, value in schema.items()
    }


def _offered(functions: Iterable[Mapping[str, Any]]) -> tuple[Offered, ...]:
    return tuple(
        Offered(str(each.get("name")), str(each.get("description") or ""), each.get("parameters") or {})
        for each in functions
    )
