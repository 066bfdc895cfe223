"""How much of an answer has come where somebody waits for more: bytes, and whether its headers are complete."""

from __future__ import annotations

from typing import Any

from crewdoctor.worker.operation import Operation
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.calls import HttpCall
from crewdoctor.worker.taps.shared import received


def answer_part(recorder: Recorder, operation: Operation) -> dict[str, Any]:
    """`bytes_received`, and `part` (`headers`, `body`) of an HTTP answer that has begun; empty for anything else."""
    if operation.kind != "recv":
        return {}
    count, request = received(recorder, operation.span)
    call = request if isinstance(request, HttpCall) else recorder._spans.get(operation.span or "")
    count = max(count, operation.bytes)
    if not isinstance(call, HttpCall) or not call.open or not count:
        return {}
    return {"bytes_received": count, "part": call.phase(count)}
