"""Keywords of a model that crewai keeps aside (`additional_params`) and that its class then hands to nobody.

The class itself is asked: a name is read where a method names it, or takes all of what was kept aside.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from typing import Any

from crewdoctor.model.setting import DROPPED, Setting
from crewdoctor.worker.dropped import plain
from crewdoctor.worker.provenance import Sources

_KEPT = "additional_params"
_WHOLE = frozenset({"update", "items", "copy", "__or__"})


def unread_keywords(llm: Any, subject: str, sources: Sources, known: Iterable[str] = ()) -> list[Setting]:
    """Of what was kept aside for `llm`: what no method of its class reads. `known` are told elsewhere."""
    given = dict(getattr(llm, _KEPT, None) or {})
    methods = [code for code in _methods(type(llm)) if _KEPT in code.co_names]
    if any(_WHOLE & set(code.co_names) for code in methods):
        return []
    read = {constant for code in methods for constant in code.co_consts if isinstance(constant, str)}
    note = "crewai keeps it aside and hands it to nobody"
    return [
        Setting(subject, "llm", f"{DROPPED}{name}", plain(value), sources.of(llm, name), note)
        for name, value in given.items()
        if name not in read and name not in set(known)
    ]


def _methods(kind: type) -> Iterator[types.CodeType]:
    """The code of the class's own methods, of the classes between it and the base of all models, nested ones too."""
    for base in kind.__mro__:
        if base.__module__.startswith(("pydantic", "abc", "builtins", "crewai.llms.base_llm")):
            continue
        for held in vars(base).values():
            code = getattr(getattr(held, "__func__", held), "__code__", None)
            if isinstance(code, types.CodeType):
                yield from _with_nested(code)


def _with_nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _with_nested(each)
