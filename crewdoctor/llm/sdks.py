"""Which class calls a model of which SDK."""

from __future__ import annotations

import importlib

from crewdoctor.llm.raw import RawModel
from crewdoctor.model.probe import CannotProbe, LoadedCrew

_CLASSES = {
    "openai": ("raw", "RawModel"),
    "anthropic": ("raw_anthropic", "AnthropicModel"),
    "azure.ai.inference": ("raw_azure", "AzureModel"),
    "boto3": ("raw_bedrock", "BedrockModel"),
    "google.genai": ("raw_gemini", "GeminiModel"),
}
"""SDK to file and class."""


def raw_model(crew: LoadedCrew, subject: str, *, direct: bool = False) -> RawModel:
    """The model `subject` through its own SDK. `direct`: past the user's proxies. Raises CannotProbe."""
    try:
        held = crew.raw_call_arguments(subject)
    except ValueError as error:
        raise CannotProbe(f"its client cannot be built: {error}") from None
    sdk = str(held.get("sdk", "openai"))
    if sdk not in _CLASSES:
        raise CannotProbe(f"calling a model through {sdk} is not known to this version")
    file, name = _CLASSES[sdk]
    kind: type[RawModel] = getattr(importlib.import_module(f"crewdoctor.llm.{file}"), name)
    return kind(crew.llm(subject), held, direct=direct)
