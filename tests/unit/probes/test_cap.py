"""Calls of a paid model are capped with crewai's hook where it has one, else around its classes of models."""

import asyncio
import sys
import types

import pytest

from crewdoctor.model.probe import CannotProbe
from crewdoctor.probes._cap import CallRefused, capped


class BaseLLM:
    def call(self, text):
        return f"base {text}"

    async def acall(self, text):
        return f"base {text}"


class Native(BaseLLM):
    def call(self, text):
        return super().call(text) + " native"

    def ask_another(self, other):
        return other.call("x")


class Asking(BaseLLM):
    """A model whose call runs a tool that asks another model, as `available_functions` of older crewai do."""

    def __init__(self, other):
        self.other = other

    def call(self, text):
        return self.other.call(text)


class Bench:
    def __init__(self):
        self.facts = {}

    def fact(self, name, value):
        self.facts[name] = value


@pytest.fixture
def old(monkeypatch):
    """A crewai without hooks."""
    names = ("crewai", "crewai.llms", "crewai.llms.base_llm")
    for name in names:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["crewai.llms.base_llm"].BaseLLM = BaseLLM
    monkeypatch.setitem(sys.modules, "crewai.hooks", None)


def test_calls_beyond_the_cap_are_refused_and_the_classes_are_as_before(old):
    bench, before = Bench(), (Native.call, BaseLLM.call)
    with capped(bench, 2):
        assert Native().call("a") == "base a native"
        assert BaseLLM().call("b") == "base b"
        with pytest.raises(CallRefused):
            Native().call("c")
    assert bench.facts == {"llm_calls": 2, "llm_calls_capped": 2}
    assert (Native.call, BaseLLM.call) == before
    assert "acall" not in vars(Native)


def test_a_call_from_within_another_models_call_counts(old):
    bench = Bench()
    with capped(bench, 1), pytest.raises(CallRefused):
        Asking(Native()).call("a")
    assert bench.facts["llm_calls_capped"] == 1


def test_asynchronous_calls_count(old):
    bench = Bench()
    with capped(bench, 1):
        assert asyncio.run(BaseLLM().acall("a")) == "base a"
        with pytest.raises(CallRefused):
            asyncio.run(BaseLLM().acall("b"))


def test_a_hook_is_used_where_there_is_one(old, monkeypatch):
    hooks, held = types.ModuleType("crewai.hooks"), []
    hooks.register_before_llm_call_hook = held.append
    hooks.unregister_before_llm_call_hook = held.remove
    monkeypatch.setitem(sys.modules, "crewai.hooks", hooks)
    bench, before = Bench(), BaseLLM.call
    with capped(bench, 1):
        assert BaseLLM.call is before
        assert [held[0](None), held[0](None)] == [None, False]
    assert not held


def test_a_crewai_with_neither_cannot_be_held(old, monkeypatch):
    monkeypatch.setitem(sys.modules, "crewai.llms.base_llm", None)
    with pytest.raises(CannotProbe, match="max-llm-calls"), capped(Bench(), 1):
        pass
