"""The actor: every offered tool once, one per turn, then an answer; prompts as crewai 1.15 writes them."""

import json

import pytest

from crewdoctor.endpoint.actor import act
from crewdoctor.endpoint.conversation import from_chat, from_responses
from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.typed_names import form_in, json_schema

SEARCH = {
    "type": "function",
    "function": {
        "name": "search_web",
        "description": "d",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    },
}
WRITE = {"type": "function", "function": {"name": "write_file", "description": "d", "parameters": {}}}
ASKED = {"role": "user", "content": "\nCurrent Task: Study tea.\n"}
REACT = (
    "You ONLY have access to the following tools:\n\nTool Name: search_web\nTool Arguments: "
    '{"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}\nTool Description: finds\n'
    "Tool Name: write_file\nTool Arguments: {'properties': {'path': {'type': 'string'}}, 'type': 'object'}\n"
    "Tool Description: writes\n\nAction: the action to take, only one name of [search_web, write_file], just the name\n"
    "Action Input: the input\nFinal Answer: the final answer"
)


def called(*names):
    calls = [{"id": name, "type": "function", "function": {"name": name, "arguments": "{}"}} for name in names]
    return [{"role": "assistant", "content": None, "tool_calls": calls}, {"role": "tool", "content": "ok"}]


def turn(body, **options):
    return act(from_chat(body), EndpointOptions(**options))


def test_each_tool_once_in_order_then_an_answer():
    body = {"messages": [ASKED], "tools": [SEARCH, WRITE]}
    first = turn(body)
    assert (first.tool, json.loads(first.arguments)) == ("search_web", {"query": "Study tea"})
    assert turn({**body, "messages": [ASKED, *called("search_web")]}).tool == "write_file"
    last = turn({**body, "messages": [ASKED, *called("search_web"), *called("write_file")]})
    assert last.tool == ""
    assert "search_web, write_file" in last.text


def test_blocked_tools_are_never_called_however_they_are_spelled():
    body = {"messages": [ASKED], "tools": [WRITE]}
    assert turn(body, blocked_tools=("Write File",)).tool == ""
    react = {"messages": [{"role": "system", "content": REACT}]}
    assert "search_web" in turn(react, blocked_tools=("Write File",)).named
    assert turn(react, blocked_tools=("Write File", "search_web")).named == ""


def test_arguments_somebody_gave_are_used():
    made = turn({"messages": [ASKED], "tools": [SEARCH]}, tool_arguments={"Search Web": {"query": "given"}})
    assert json.loads(made.arguments) == {"query": "given"}


@pytest.mark.parametrize(
    ("choice", "tool"),
    [
        ("none", ""),
        ("required", "search_web"),
        ({"type": "function", "function": {"name": "write_file"}}, "write_file"),
    ],
)
def test_tool_choice(choice, tool):
    assert turn({"messages": [ASKED], "tools": [SEARCH, WRITE], "tool_choice": choice}).tool == tool


def test_required_calls_a_tool_even_when_all_were_called():
    body = {"messages": [ASKED, *called("search_web")], "tools": [SEARCH], "tool_choice": "required"}
    assert turn(body).tool == "search_web"


def test_the_text_form_calls_each_tool_once_and_finishes():
    messages = [{"role": "system", "content": REACT}, ASKED]
    first = turn({"messages": messages})
    assert first.text.endswith('Action: search_web\nAction Input: {"query": "Study tea"}')
    second = turn({"messages": [*messages, {"role": "assistant", "content": first.text + "\nObservation: found"}]})
    assert second.text.endswith('Action: write_file\nAction Input: {"path": "README.md"}')
    last = turn({"messages": [*messages, {"role": "assistant", "content": first.text + "\n" + second.text}]})
    assert "\nFinal Answer: " in last.text
    assert "Action:" not in last.text


def test_a_forced_final_answer_calls_nothing():
    force = {"role": "user", "content": "Now it's time you MUST give your absolute best final answer."}
    assert turn({"messages": [{"role": "system", "content": REACT}, force]}).named == ""
    assert turn({"messages": [ASKED, force], "tools": [SEARCH]}).tool == ""


def test_response_format_gets_a_valid_instance_after_the_tools():
    schema = {"type": "object", "properties": {"valid": {"type": "boolean"}}, "required": ["valid"]}
    body = {
        "messages": [ASKED],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    }
    assert json.loads(turn(body).text) == {"valid": True}
    assert turn({**body, "tools": [SEARCH]}).tool == "search_web"
    assert json.loads(turn({"messages": [ASKED], "response_format": {"type": "json_object"}}).text)["answer"]


@pytest.mark.parametrize("written", [json.dumps, repr])
def test_a_schema_named_in_the_prompt_is_followed(written):
    schema = {"properties": {"title": {"type": "string"}}, "required": ["title"], "type": "object"}
    described = written({"json_schema": {"schema": schema}})
    asked = f"Format your final answer according to the following OpenAPI schema: {described}\n"
    assert set(json.loads(turn({"messages": [{"role": "user", "content": asked}]}).text)) == {"title"}


def test_a_verbatim_answer_is_given():
    assert turn({"messages": [{"role": "user", "content": "Return 'ok'"}]}).text == "ok"


def test_content_in_parts_is_read():
    parts = [{"type": "text", "text": "Return 'ok'"}, {"type": "image_url", "image_url": {"url": "x"}}]
    assert turn({"messages": [{"role": "user", "content": parts}]}).text == "ok"


def test_responses_api_remembers_what_was_called():
    tool = {"type": "function", "name": "search_web", "parameters": SEARCH["function"]["parameters"]}
    body = {"input": "Study tea", "tools": [tool]}
    assert act(from_responses(body), EndpointOptions()).tool == "search_web"
    assert act(from_responses(body, ("search_web",)), EndpointOptions()).tool == ""
    items = [{"type": "function_call", "name": "search_web"}, {"type": "function_call_output", "output": "x"}]
    assert act(from_responses({**body, "input": items}), EndpointOptions()).tool == ""


def test_arguments_listed_by_type_as_older_crewai_does():
    listed = "{'subject': {'description': None, 'type': 'str'}, 'most': {'description': 'rows', 'type': 'int'}}"
    older = (
        f"You ONLY have access to the following tools:\n\nTool Name: Search Web\nTool Arguments: {listed}\n"
        "Tool Description: finds\n\nAction: the action to take, only one name of [Search Web], just the name\n"
        "Action Input: the input\nFinal Answer: the final answer"
    )
    made = turn({"messages": [{"role": "system", "content": older}, ASKED]})
    arguments = json.loads(made.text.partition("Action Input: ")[2])
    assert arguments["subject"] == "Study tea"
    assert isinstance(arguments["most"], int)


@pytest.mark.parametrize(
    ("written", "schema"),
    [
        ("float", {"type": "number"}),
        ("list[dict[str, Any]]", {"type": "array", "items": {"type": "object"}, "minItems": 1}),
        ("Union[NoneType, list[int]]", {"type": "array", "items": {"type": "integer"}, "minItems": 1}),
        ("Literal[day, week]", {"enum": ["day", "week"]}),
        ("UnionType[str, NoneType]", {"type": "string"}),
        ("House", {}),
    ],
)
def test_a_type_in_words(written, schema):
    listed = {"it": {"description": None, "type": written}}
    assert json_schema(listed) == {"type": "object", "properties": {"it": schema}, "required": ["it"]}


def test_a_json_schema_stays_as_it_is():
    schema = {"type": "object", "properties": {"it": {"type": "string", "description": "d"}}}
    assert json_schema(schema) is schema
    assert json_schema({}) == {}


def test_a_form_in_words_is_followed():
    form = '{\n  "title": str,\n  "parts": List[{"name": str, "share": Optional[float]}],\n  "by": Dict[str, int]\n}'
    asked = f"Ensure your final answer contains only the content in the following format: {form}\n\nEnsure the final"
    answer = json.loads(turn({"messages": [{"role": "user", "content": f"Current Task: Study tea\n{asked}"}]}).text)
    assert answer.keys() == {"title", "parts", "by"}
    assert isinstance(answer["parts"][0]["share"], (int, float))
    assert isinstance(answer["by"], dict)


@pytest.mark.parametrize("text", ["Use the following format in your response", "in the following format: {prose}", ""])
def test_what_is_no_form_is_none(text):
    assert form_in(text) is None


def delegating(name):
    said = f"{name} to one of the following coworkers: Writer, Researcher\nThe input to this tool"
    properties = {"coworker": {"type": "string"}, "task": {"type": "string"}}
    schema = {"type": "object", "properties": properties, "required": ["coworker", "task"]}
    return {"type": "function", "function": {"name": name, "description": said, "parameters": schema}}


def test_a_manager_delegates_to_each_coworker_once_and_asks_one_of_them():
    body, before, made = {"tools": [delegating("delegate_work"), delegating("ask_question"), SEARCH]}, [ASKED], []
    while (next_ := turn({**body, "messages": before})).tool:
        made.append((next_.tool, json.loads(next_.arguments).get("coworker")))
        before = [*before, *called(next_.tool)]
    assert made == [
        ("delegate_work", "Writer"),
        ("delegate_work", "Researcher"),
        ("ask_question", "Writer"),
        ("search_web", None),
    ]


def test_in_text_as_well():
    described = (
        "Tool Name: Delegate work to coworker\n"
        "Tool Arguments: {'properties': {'coworker': {'type': 'string'}}, 'type': 'object'}\n"
        "Tool Description: Delegate to one of the following coworkers: Writer, Researcher\nThe input\n"
        "Action: the action to take, only one name of [Delegate work to coworker], just the name\n"
    )
    before, made = [{"role": "system", "content": described}], []
    while (next_ := turn({"messages": before})).named:
        made.append(json.loads(next_.text.partition("Action Input: ")[2])["coworker"])
        before = [*before, {"role": "assistant", "content": next_.text}]
    assert made == ["Writer", "Researcher"]
