"""Calls of models one by one, phase by phase: from the name to the last token. Pure.

Phases bear the names of HAR and k6 where those have one; `at` counts from the start of the call.
"""

from __future__ import annotations

from collections.abc import Iterable

from crewdoctor import wording
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.recording import Recording
from crewdoctor.model.report import ModelCall, Phase
from crewdoctor.model.setting import Bound, Seconds
from crewdoctor.model.span import Span

PROBE = "llm.sdk"
_WIRE = ("dns.lookup", "tcp.connect", "tls.handshake")
_LIMITS = ("timeout.connect", "timeout.read", "timeout.write", "timeout.pool", "max_retries")


def model_calls(recording: Recording) -> tuple[ModelCall, ...]:
    """One entry per model that was called once by itself, as its user's settings have it."""
    inventory = recording.inventory
    if inventory is None:
        return ()
    calls = {
        span.subject: span
        for span in recording.spans
        if span.name == "llm.call" and span.step.split("@", 1)[0] == PROBE and span.attrs.get("kind") == "once"
    }
    return tuple(_told(recording, llm, calls[llm.subject]) for llm in inventory.llms if llm.subject in calls)


def _told(recording: Recording, llm: LlmEntry, call: Span) -> ModelCall:
    beneath = [span for span in recording.spans if span.step == call.step and span.id != call.id]
    requests = [span for span in beneath if span.name == "http.request"]
    end = next((result.end for result in recording.results if result.step.id == call.step), recording.end)
    attempts = call.attrs.get("attempts")
    return ModelCall(
        subject=llm.subject,
        model=llm.model,
        host=str(requests[-1].attrs.get("host", "")) if requests else "",
        status=_whole(call.attrs.get("status")),
        attempts=attempts if isinstance(attempts, int) and attempts else len(requests),
        failure=call.failure.text if call.failure else "",
        phases=tuple(_phases(call, requests[-1] if requests else None, beneath, end)),
        ratelimit={str(name): str(value) for name, value in (call.attrs.get("ratelimit") or {}).items()},
        limits=_limits(recording, llm),
    )


def _phases(call: Span, request: Span | None, beneath: Iterable[Span], end: float) -> Iterable[Phase]:
    last = request.start if request else call.start
    for name in _WIRE:
        for span in beneath:
            if span.name == name and span.start >= last - 1e-6:
                yield _phase(span, call, end)
    exchange = next((span for span in beneath if span.name == "net.exchange" and span.start >= last - 1e-6), None)
    first = exchange.attrs.get("first_byte") if exchange else None
    began = call.start
    if exchange is not None:
        waited = first if isinstance(first, (int, float)) else exchange.seconds(end)
        came = isinstance(first, (int, float))
        detail = f"HTTP {request.attrs['status']}" if request and request.attrs.get("status") else ""
        began = exchange.start + waited
        yield Phase("first byte", began - call.start, waited, detail, "" if came else "none came")
    token = call.attrs.get("first_token")
    if isinstance(token, (int, float)):
        yield Phase("first token", token, max(0.0, token - (began - call.start)), "")
    if call.end is not None and call.failure is None:
        took = call.seconds(end)
        tokens = call.attrs.get("tokens") or 0
        since = took - token if isinstance(token, (int, float)) else took
        yield Phase("last token" if token else "whole answer", took, since, f"{tokens} tokens" if tokens else "")


def _phase(span: Span, call: Span, end: float) -> Phase:
    attrs = span.attrs
    if span.name == "dns.lookup":
        found = [str(each) for each in attrs.get("addresses") or ()]
        more = f" (+{len(found) - 1})" if found[1:] else ""
        detail = f"{attrs.get('host', '')} is {found[0]}{more}" if found else str(attrs.get("host", ""))
    elif span.name == "tcp.connect":
        detail = f"{attrs.get('address', attrs.get('host', ''))}:{attrs.get('port', '')}"
    else:
        detail = " ".join(str(attrs[name]) for name in ("version", "issuer") if attrs.get(name))
    took = span.seconds(end)
    failure = span.failure.text if span.failure else "never ended" if span.open else ""
    return Phase(span.name, span.start + took - call.start, took, detail, failure)


def _limits(recording: Recording, llm: LlmEntry) -> str:
    """`connect 5 s, read 600 s, ..., max_retries 2 (default of openai 2.54.0)`."""
    held = {setting.name: setting for setting in recording.inventory.settings if setting.subject == llm.subject}  # type: ignore[union-attr]
    said: dict[str, list[str]] = {}
    for name in _LIMITS:
        setting = held.get(name)
        if setting is None:
            continue
        value = setting.value
        shown = wording.limit(value) if isinstance(value, (Seconds, Bound)) else str(value)
        said.setdefault(setting.provenance.where, []).append(f"{name.removeprefix('timeout.')} {shown}")
    return "; ".join(f"{', '.join(texts)} ({where})" for where, texts in said.items())


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
