"""The endpoint under the real anthropic SDK."""

import anthropic
import pytest

from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.server import serving

HELLO = [{"role": "user", "content": "Say 'hello there'"}]
ASKED = {"model": "claude-any", "max_tokens": 500, "messages": HELLO}
SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
TOOLS = [{"name": "search", "description": "Search.", "input_schema": SCHEMA}]


def client_of(served):
    return anthropic.Anthropic(base_url=served.base_url.removesuffix("/v1"), api_key="k", max_retries=0, timeout=5)


@pytest.fixture
def client():
    with serving() as served, client_of(served) as held:
        yield held


def test_plain(client):
    answer = client.messages.create(**ASKED)
    assert answer.content[0].text == "hello there"
    assert answer.stop_reason == "end_turn"
    assert answer.usage.input_tokens > 0 < answer.usage.output_tokens


def test_streamed(client):
    with client.messages.stream(**ASKED) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == "hello there"
    assert len(pieces) > 1
    assert (final.stop_reason, final.content[0].text) == ("end_turn", "hello there")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_once_and_then_answered(client, streamed):
    def ask(messages):
        given = {**ASKED, "messages": messages, "tools": TOOLS}
        if not streamed:
            return client.messages.create(**given)
        with client.messages.stream(**given) as stream:
            return stream.get_final_message()

    first = ask(HELLO)
    block = first.content[0]
    assert (first.stop_reason, block.type, block.name) == ("tool_use", "tool_use", "search")
    assert block.input["query"]
    result = {"type": "tool_result", "tool_use_id": block.id, "content": "found"}
    again = ask([*HELLO, {"role": "assistant", "content": [block.model_dump()]}, {"role": "user", "content": [result]}])
    assert again.content[0].type == "text"


def test_a_forced_tool_is_called(client):
    answer = client.messages.create(**ASKED, tools=TOOLS, tool_choice={"type": "tool", "name": "search"})
    assert answer.content[0].name == "search"


def test_a_schema_is_satisfied(client):
    body = {"output_format": {"type": "json_schema", "schema": SCHEMA}}
    answer = client.beta.messages.create(**ASKED, betas=["structured-outputs-2025-11-13"], extra_body=body)
    assert "query" in answer.content[0].text


def test_a_short_limit_cuts_the_answer(client):
    assert client.messages.create(**{**ASKED, "max_tokens": 1}).stop_reason == "max_tokens"


def test_tokens_are_counted(client):
    assert client.messages.count_tokens(model="m", messages=HELLO).input_tokens > 0


def test_what_is_missing_is_refused_as_anthropic_does(client):
    with pytest.raises(anthropic.BadRequestError, match="list of messages"):
        client.post("/v1/messages", body={"model": "m"}, cast_to=object)


@pytest.mark.parametrize(
    ("options", "kind", "word"),
    [
        ({"faults": {"500": 1.0}}, anthropic.InternalServerError, "api_error"),
        ({"rate_limit": 0}, anthropic.RateLimitError, "rate_limit_error"),
    ],
)
def test_faults_come_in_anthropics_form(options, kind, word):
    with serving(EndpointOptions(**options)) as served, client_of(served) as client:
        with pytest.raises(kind) as raised:
            client.messages.create(**ASKED)
        assert raised.value.body["error"]["type"] == word
