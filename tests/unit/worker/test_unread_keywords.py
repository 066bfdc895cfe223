"""Keywords of a model that nobody reads, asked of its class."""

from __future__ import annotations

from crewdoctor.worker.provenance import Sources
from crewdoctor.worker.unread_keywords import unread_keywords


class Base:
    def __init__(self, **given):
        self.additional_params = given


class ReadsNone(Base):
    def call(self):
        return self


class ReadsOne(Base):
    def call(self):
        return self.additional_params.get("drop_params")


class HandsOnAll(Base):
    def call(self):
        def prepared():
            params = {}
            params.update(self.additional_params)
            return params

        return prepared()


def unread(kind, **given):
    found = unread_keywords(kind(**given), "agent:a/llm", Sources(), ("timeout",))
    return {each.name: each.value for each in found}


def test_what_no_method_reads_is_told():
    assert unread(ReadsNone, request_timeout=30, timeout=3) == {"dropped.request_timeout": 30}


def test_what_a_method_names_is_not():
    assert unread(ReadsOne, drop_params=True, request_timeout=30) == {"dropped.request_timeout": 30}


def test_a_class_that_hands_on_all_loses_none():
    assert unread(HandsOnAll, request_timeout=30) == {}
