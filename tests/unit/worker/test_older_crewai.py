"""Models of crewai before they became pydantic models (1.0 to 1.11), as stand-ins: plain classes with open clients."""

import sys
import types

import openai
import pytest

from crewdoctor.llm.sdks import raw_model
from crewdoctor.worker import embedded, loader, machine
from crewdoctor.worker.construction import watched
from crewdoctor.worker.hosts import sdk_library
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.load_reasons import known_reason
from crewdoctor.worker.named_model import DEFAULT_MODEL
from crewdoctor.worker.provenance import Sources
from crewdoctor.worker.providers import openai as provider
from crewdoctor.worker.swallowed import swallowed


class BaseLLM:
    def __init__(self, model, api_key=None, base_url=None, timeout=None, provider=None, **kwargs):
        self.model, self.api_key, self.base_url, self.additional_params = model, api_key, base_url, kwargs


class OpenAICompletion(BaseLLM):
    def __init__(self, model="gpt-4o", api_key=None, base_url=None, timeout=None, max_retries=2, stream=None, **kwargs):
        self.timeout, self.max_retries, self.stream, self.client_params = timeout, max_retries, stream, None
        super().__init__(model=model, api_key=api_key, base_url=base_url, timeout=timeout, **kwargs)
        self.client = openai.OpenAI(**self._get_client_params())

    def _get_client_params(self):
        held = {"api_key": self.api_key, "base_url": self.base_url, "timeout": self.timeout}
        return {**{name: value for name, value in held.items() if value is not None}, "max_retries": self.max_retries}


for kind in (BaseLLM, OpenAICompletion):
    kind.__module__ = "crewai.llms.providers.openai.completion"


@pytest.fixture
def old(monkeypatch):
    held = {
        "crewai": {"Agent": type("Agent", (), {}), "Crew": type("Crew", (), {}), "Task": type("Task", (), {})},
        "crewai.tools": {"BaseTool": type("BaseTool", (), {})},
        "crewai.llms.base_llm": {"BaseLLM": BaseLLM},
        "crewai.llms.providers.openai.completion": {"OpenAICompletion": OpenAICompletion},
    }
    for name in ("crewai.llms", "crewai.llms.providers", "crewai.llms.providers.openai"):
        held[name] = {}
    for name, content in held.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)


def built(**given):
    with watched() as constructions:
        model = OpenAICompletion(model="gpt-4o", api_key="sk-x", base_url="http://127.0.0.1:9/v1", **given)
    _, settings = provider.describe(model, "agent:a/llm", Sources(constructions))
    return model, {each.name: each for each in settings}


def test_the_open_client_is_the_one_that_is_read(old):
    model, _ = built()
    assert provider._client(model) == (model.client, False)


def test_what_a_class_hands_on_to_its_base_is_not_what_the_user_wrote(old):
    _, settings = built()
    assert settings["timeout.read"].provenance.origin == "default"
    assert settings["max_retries"].provenance.origin == "default"


def test_what_the_user_wrote_is_found_whoever_keeps_it(old):
    _, settings = built(timeout=7.0, max_retries=5)
    assert settings["timeout.read"].provenance.origin == "python"
    assert settings["max_retries"].provenance.origin == "python"
    assert settings["max_retries"].value == 5


def test_the_embedded_model_keeps_what_was_given_and_leaves_proxies_alone(old, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    model, _ = built(timeout=7.0, stream=True, top_k=3)

    played = embedded._Swap("http://127.0.0.1:8/v1").instead_of(model)

    assert type(played) is OpenAICompletion
    assert (played.timeout, played.stream, played.additional_params) == (7.0, True, {"top_k": 3})
    assert str(played.client.base_url) == "http://127.0.0.1:8/v1/"
    assert not played.client._client._mounts
    assert played.api_key == embedded.KEY
    assert not hasattr(played, "_client")


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_the_sdk_says_which_library_it_rides_on(monkeypatch, library):
    client = type("Client", (), {"__module__": f"{library}._client"})
    wrapper = type("DefaultHttpxClient", (client,), {"__module__": "openai"})
    monkeypatch.setitem(sys.modules, "openai", types.SimpleNamespace(DefaultHttpxClient=wrapper))
    assert sdk_library() == library


def test_without_the_sdk_nothing_is_imported_to_say_so(monkeypatch):
    monkeypatch.delitem(sys.modules, "openai")
    assert sdk_library() == "httpx"
    assert "openai" not in sys.modules


def tripped_in(module):
    """A load that failed because crewai had made no model: `None.supports_stop_words()` in a frame of `module`."""
    namespace = {"__name__": module}
    exec("def use(model):\n    return model.supports_stop_words()", namespace)
    failure = TargetDoesNotLoad("raises", "it raises", "look")
    try:
        namespace["use"](None)
    except AttributeError as error:
        failure.__cause__ = error
    return failure


def test_a_model_never_made_for_want_of_the_default_key_is_tried_with_a_stand_in(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert loader._swallowed_key(tripped_in("crewai.agent.core")) == "OPENAI_API_KEY"
    assert loader._swallowed_key(tripped_in("house.crew")) == ""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-set")
    assert loader._swallowed_key(tripped_in("crewai.agent.core")) == ""


def test_a_stand_in_is_no_key(old):
    with watched() as constructions:
        model = OpenAICompletion(api_key=loader.STAND_IN_KEY)
    entry, settings = provider.describe(model, "agent:a/llm", Sources(constructions))
    held = next(each for each in settings if each.name == "api_key")
    assert (held.value, held.provenance.where, entry.usable_key) == (False, "not set", False)


def test_a_missing_litellm_names_what_to_install():
    found = known_reason(ImportError("Fallback to LiteLLM is not available"))
    assert found.kind == "missing_package"
    assert found.way_out == "pip install 'crewai[litellm]'"


def test_a_crewai_without_a_retry_of_its_own_tries_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "crewai.llms.retry", None)
    assert machine.rate_limit_attempts() == 1
    monkeypatch.setitem(sys.modules, "crewai.llms.retry", types.SimpleNamespace(_LLM_RATE_LIMIT_MAX_ATTEMPTS=5))
    assert machine.rate_limit_attempts() == 5


def test_an_openai_without_the_responses_api_is_called_all_the_same(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai.types.responses", None)
    monkeypatch.delattr("openai.types.responses", raising=False)
    arguments = {"client": {"api_key": "sk-x", "base_url": "http://127.0.0.1:9/v1"}, "create": {"model": "m"}}
    crew = types.SimpleNamespace(llm=lambda _: object(), raw_call_arguments=lambda _: arguments)
    raw = raw_model(crew, "llm")
    assert hasattr(raw.client(), "create")
    raw.close()


AGENT = """
from pydantic import BaseModel, model_validator

class Agent(BaseModel):
    llm: object = None

    @model_validator(mode="after")
    def setup(self):
        self.llm = None  # what create_llm answers when the model cannot be made
        self.stop = self.llm.supports_stop_words()
"""


@pytest.mark.parametrize("named", [{"llm": "gpt-4o"}, {}], ids=["by name", "by default"])
def test_why_a_model_could_not_be_made_is_asked_again_where_crewai_kept_it_to_itself(old, monkeypatch, named):
    def refused(model):
        assert model == named.get("llm", DEFAULT_MODEL)
        raise ImportError("Error importing native provider") from ValueError("OPENAI_API_KEY is required")

    for name in ("OPENAI_API_KEY", "MODEL", "MODEL_NAME", "OPENAI_MODEL_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys.modules["crewai"], "LLM", refused, raising=False)
    library = {"__name__": "crewai.agent"}
    exec(AGENT, library)
    with pytest.raises(AttributeError) as raised:
        library["Agent"](**named)
    hidden = swallowed(raised.value)
    assert hidden is not None
    assert known_reason(hidden).variable == "OPENAI_API_KEY"


def test_an_attribute_of_none_in_the_users_own_code_is_left_as_it_is(old):
    with pytest.raises(AttributeError) as raised:
        None.supports_stop_words()
    assert swallowed(raised.value) is None
