"""What a constructor accepted and lost, asked of built objects."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from crewdoctor.worker.dropped import dropped


class Plain(BaseModel):
    name: str = ""


class Aliased(BaseModel):
    limit: int = Field(1, validation_alias=AliasChoices("timeout", "limit"))


class KeepsMore(BaseModel):
    model_config = ConfigDict(extra="allow")


class ReadsRaw(BaseModel):
    limit: int = 1

    @model_validator(mode="before")
    @classmethod
    def older_names(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "limit": values.get("timeout", 1)}


class TakesItself(BaseModel):
    _limit: int = 1

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._limit = kwargs.get("timeout", 1)


class SpendsAll(BaseModel):
    _client: Any = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._client = dict(**kwargs)


class PassesOn(BaseModel):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class HoldsIt(BaseModel):
    @property
    def timeout(self) -> int:
        return 5


@pytest.mark.parametrize("kind", [Plain, PassesOn])
def test_a_name_nobody_holds_or_reads_is_dropped(kind):
    assert dropped(kind(timeout=30), {"name": "x", "timeout": 30}).get("timeout") == 30


@pytest.mark.parametrize("kind", [Aliased, KeepsMore, ReadsRaw, TakesItself, SpendsAll, HoldsIt])
def test_a_name_somebody_may_read_is_not(kind):
    assert dropped(kind(timeout=30), {"timeout": 30}) == {}


def test_texts_that_could_be_secret_are_not_kept():
    held = dropped(Plain(token="x" * 40, mode="fast", hook=print), {"token": "x" * 40, "mode": "fast", "hook": print})

    assert held == {"token": "a str", "mode": "fast", "hook": "a builtin_function_or_method"}


def test_what_is_no_model_is_left_alone():
    class Foreign:
        pass

    assert dropped(Foreign(), {"timeout": 3}) == {}
