"""Fixes as code to paste: how crewAI's model of each provider is told how long it may wait.

Read from crewai 1.15.30: OpenAI's, Anthropic's and LiteLLM's take `timeout`; Gemini's wants milliseconds in a client
parameter; Azure's chat and Bedrock's build their client with nothing of the user's, so that it has to be replaced.
"""

from __future__ import annotations

from crewdoctor.model.inventory import LlmEntry

_GEMINI = (
    'LLM(..., client_params={{"http_options": types.HttpOptions(timeout={ms})}})  # from google.genai; milliseconds'
)
_AZURE = (
    "llm = LLM(...)\n"
    "llm._client = ChatCompletionsClient(  # from azure.ai.inference\n"
    "    llm.endpoint, AzureKeyCredential(llm.api_key), connection_timeout=5, read_timeout={seconds}\n"
    ")"
)
_BEDROCK = (
    "llm = LLM(...)\n"
    'llm._client = boto3.client("bedrock-runtime", config=Config(  # from botocore.config\n'
    '    read_timeout={seconds}, retries={{"total_max_attempts": 2, "mode": "standard"}}\n'
    "))"
)
_CODE = {"gemini": _GEMINI, "azure": _AZURE, "bedrock": _BEDROCK}


def bounded_model(llm: LlmEntry, seconds: float | str) -> str:
    """Code that lets an answer of this model take `seconds`, and repeats a failed request once at most."""
    return replaced(llm, seconds) or f"LLM(..., timeout={seconds}, max_retries=1)"


def replaced(llm: LlmEntry, seconds: float | str) -> str:
    """Code for a model whose `timeout` would change nothing; empty where it is taken."""
    form = _CODE.get(llm.provider, "")
    return form and form.format(seconds=seconds, ms=round(float(seconds) * 1000))
