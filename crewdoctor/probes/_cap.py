"""Caps the calls of a paid model. No probe: what the crew probes share."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from crewdoctor.model.probe import Bench, CannotProbe


class CallRefused(RuntimeError):  # noqa: N818 - what is refused is a call, and on purpose
    """A call of the model beyond `--max-llm-calls`."""


@contextmanager
def capped(bench: Bench, most: int | None) -> Iterator[None]:
    """Refuse calls of the model beyond `most`; facts `llm_calls` and `llm_calls_capped`. None: no cap.

    Raises CannotProbe where this crewai offers nothing to hold a call back with.
    """
    if most is None:
        yield
        return
    lock, made = threading.Lock(), [0]

    def allowed() -> bool:
        with lock:
            made[0] += 1
            bench.fact("llm_calls", min(made[0], most))
            if made[0] <= most:
                return True
        bench.fact("llm_calls_capped", most)
        return False

    with _asked(allowed):
        yield


@contextmanager
def _asked(allowed: Callable[[], bool]) -> Iterator[None]:
    """Within, `allowed` is asked before every call: by crewai's own hook where it has one, else around `call`."""
    try:
        from crewai.hooks import register_before_llm_call_hook, unregister_before_llm_call_hook
    except ImportError:
        with around_calls(allowed):
            yield
        return

    def hold(_context: Any) -> bool | None:
        return None if allowed() else False

    register_before_llm_call_hook(hold)
    try:
        yield
    finally:
        unregister_before_llm_call_hook(hold)


@contextmanager
def around_calls(allowed: Callable[[], bool]) -> Iterator[None]:
    """Ask before `call` and `acall` of every class of models there is now; CallRefused where the answer is no.

    Raises CannotProbe where crewai has no base class of models.
    """
    try:
        from crewai.llms.base_llm import BaseLLM
    except ImportError:
        raise CannotProbe("this crewai cannot be held to --max-llm-calls; use --llm embedded") from None
    calling: ContextVar[int] = ContextVar("calling", default=0)
    with ExitStack() as undo:
        for kind in {BaseLLM, *_descendants(BaseLLM)}:
            for name in ("call", "acall"):
                if inspect.isfunction(original := kind.__dict__.get(name)):
                    type.__setattr__(kind, name, _asking(original, allowed, calling))
                    undo.callback(type.__setattr__, kind, name, original)
        yield


def _descendants(kind: type) -> set[type]:
    found: set[type] = set(kind.__subclasses__())
    return found.union(*map(_descendants, found))


def _asking(original: Any, allowed: Callable[[], bool], calling: ContextVar[int]) -> Any:
    def begin(model: Any) -> None:
        # What a class hands on to the one above it, on the same object, is the same call.
        if calling.get() != id(model) and not allowed():
            raise CallRefused("no call of the model is left")

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def acall(self: Any, *args: Any, **kwargs: Any) -> Any:
            begin(self)
            token = calling.set(id(self))
            try:
                return await original(self, *args, **kwargs)
            finally:
                calling.reset(token)

        return acall

    @functools.wraps(original)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        begin(self)
        token = calling.set(id(self))
        try:
            return original(self, *args, **kwargs)
        finally:
            calling.reset(token)

    return call
