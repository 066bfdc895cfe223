"""The endpoint under the real google-genai SDK."""

import pytest
from google import genai
from google.genai import errors, types

from crewdoctor.endpoint.conversation import lowered
from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.server import serving

ASKED = {"model": "gemini-any", "contents": "Say 'hello there'"}
SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
SEARCH = types.FunctionDeclaration(name="search", description="Search.", parameters_json_schema=SCHEMA)
TOOLS = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[SEARCH])])


def client_of(served):
    options = types.HttpOptions(base_url=served.base_url.removesuffix("/v1"), timeout=5000)
    return genai.Client(api_key="k", vertexai=False, http_options=options)


@pytest.fixture
def client():
    with serving() as served:
        held = client_of(served)
        yield held
        held.close()


def test_plain(client):
    answer = client.models.generate_content(**ASKED)
    assert answer.text == "hello there"
    assert answer.candidates[0].finish_reason == "STOP"
    used = answer.usage_metadata
    assert used.total_token_count == used.prompt_token_count + used.candidates_token_count


def test_streamed(client):
    chunks = list(client.models.generate_content_stream(**ASKED))
    assert "".join(each.text or "" for each in chunks) == "hello there"
    assert len(chunks) > 2
    assert chunks[-1].candidates[0].finish_reason == "STOP"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_once_and_then_answered(client, streamed):
    def ask(contents):
        given = {"model": "gemini-any", "contents": contents, "config": TOOLS}
        if streamed:
            return next(iter(client.models.generate_content_stream(**given)))
        return client.models.generate_content(**given)

    said = types.Content(role="user", parts=[types.Part.from_text(text="Look it up")])
    first = ask([said])
    (call,) = first.function_calls
    assert (call.name, bool(call.args["query"])) == ("search", True)
    result = types.Part.from_function_response(name="search", response={"result": "found"})
    again = ask([said, first.candidates[0].content, types.Content(role="user", parts=[result])])
    assert again.text
    assert not again.function_calls


def test_a_schema_is_satisfied(client):
    form = {"response_mime_type": "application/json", "response_json_schema": SCHEMA}
    assert "query" in client.models.generate_content(**ASKED, config=form).text


def test_types_in_capitals_are_understood():
    assert lowered({"type": "OBJECT", "properties": {"type": {"type": "STRING"}}}) == {
        "type": "object",
        "properties": {"type": {"type": "string"}},
    }


def test_a_short_limit_cuts_the_answer(client):
    answer = client.models.generate_content(**ASKED, config={"max_output_tokens": 1})
    assert answer.candidates[0].finish_reason == "MAX_TOKENS"


def test_tokens_are_counted(client):
    assert client.models.count_tokens(**ASKED).total_tokens > 0


@pytest.mark.parametrize(
    ("options", "code", "status"),
    [({"faults": {"500": 1.0}}, 500, "INTERNAL"), ({"rate_limit": 0}, 429, "RESOURCE_EXHAUSTED")],
)
def test_faults_come_in_googles_form(options, code, status):
    with serving(EndpointOptions(**options)) as served:
        client = client_of(served)
        with pytest.raises(errors.APIError) as raised:
            client.models.generate_content(**ASKED)
        client.close()
    assert (raised.value.code, raised.value.status) == (code, status)
