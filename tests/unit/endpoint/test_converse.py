"""The endpoint under the real Bedrock client of boto3."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.server import serving

HELLO = {"role": "user", "content": [{"text": "Say 'hello there'"}]}
MODEL = "anthropic.claude-any:0"
SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
TOOLS = {"tools": [{"toolSpec": {"name": "search", "description": "Search.", "inputSchema": {"json": SCHEMA}}}]}


def client_of(served):
    session = boto3.Session(aws_access_key_id="AK", aws_secret_access_key="s", region_name="eu-west-1")
    config = Config(read_timeout=5, retries={"total_max_attempts": 1, "mode": "standard"}, proxies={})
    return session.client("bedrock-runtime", endpoint_url=served.base_url.removesuffix("/v1"), config=config)


@pytest.fixture
def client():
    with serving() as served:
        held = client_of(served)
        yield held
        held.close()


def test_plain(client):
    answer = client.converse(modelId=MODEL, messages=[HELLO])
    assert answer["output"]["message"]["content"] == [{"text": "hello there"}]
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"]["totalTokens"] == answer["usage"]["inputTokens"] + answer["usage"]["outputTokens"]


def test_streamed(client):
    events = list(client.converse_stream(modelId=MODEL, messages=[HELLO])["stream"])
    pieces = [each["contentBlockDelta"]["delta"]["text"] for each in events if "contentBlockDelta" in each]
    assert "".join(pieces) == "hello there"
    assert [next(iter(each)) for each in events][-2:] == ["messageStop", "metadata"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_once_and_then_answered(client, streamed):
    def ask(messages):
        given = {"modelId": MODEL, "messages": messages, "toolConfig": TOOLS}
        if not streamed:
            return client.converse(**given)["output"]["message"]["content"]
        events = list(client.converse_stream(**given)["stream"])
        started = [each["contentBlockStart"]["start"]["toolUse"] for each in events if "contentBlockStart" in each]
        return [{"toolUse": {**each, "input": {}}} for each in started] or [{"text": "said"}]

    (block,) = ask([HELLO])
    assert block["toolUse"]["name"] == "search"
    result = {"toolUseId": block["toolUse"]["toolUseId"], "content": [{"text": "found"}]}
    said = {"role": "assistant", "content": [block]}
    (again,) = ask([HELLO, said, {"role": "user", "content": [{"toolResult": result}]}])
    assert again["text"]


def test_a_short_limit_cuts_the_answer(client):
    answer = client.converse(modelId=MODEL, messages=[HELLO], inferenceConfig={"maxTokens": 1})
    assert answer["stopReason"] == "max_tokens"


def test_tokens_are_counted(client):
    counted = client.count_tokens(modelId=MODEL, input={"converse": {"messages": [HELLO]}})
    assert counted["inputTokens"] > 0


@pytest.mark.parametrize(
    ("options", "code"),
    [({"faults": {"500": 1.0}}, "InternalServerException"), ({"rate_limit": 0}, "ThrottlingException")],
)
def test_faults_come_in_amazons_form(options, code):
    with serving(EndpointOptions(**options)) as served:
        client = client_of(served)
        with pytest.raises(ClientError) as raised:
            client.converse(modelId=MODEL, messages=[HELLO])
        client.close()
    assert raised.value.response["Error"]["Code"] == code
