"""The recording as a Chrome trace: for ui.perfetto.dev and chrome://tracing. Pure.

A step is a process; its tracks are the crew, each agent, and whatever ran beside them; a span is a slice with its
attributes as arguments, an event or a look at what blocked a mark. What a model call did on the wire is tied to it by a
flow where it lies on another track. Without a recording: the waterfall of the report, and its findings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from crewdoctor.model.finding import Finding
from crewdoctor.model.recording import Recording
from crewdoctor.model.report import Report
from crewdoctor.model.span import Span
from crewdoctor.wire.codec import encode

FORMAT = "perfetto"
SUFFIXES = "trace.json"
_MICROS = 1e6
_OWNERS = ("agent:", "crew:", "task:")


def render(report: Report, *, recording: Recording | None = None) -> str:
    """Return one ASCII JSON document, an event a line; times are microseconds since the recording's zero."""
    events = list(_recorded(recording) if recording is not None else _waterfall(report))
    events += _findings(report.findings)
    told: dict[str, Any] = {
        "target": report.target,
        "crew": report.crew,
        "verdict": report.verdict,
        "started": report.started,
    }
    told["ignored"] = [f"{rule.code} {each.location}: {each.reason}" for rule in report.rules for each in rule.ignored]
    head = json.dumps({**told, "crewdoctor": report.crewdoctor, "notes": report.environment.get("notes", [])})
    lines = ",\n".join(json.dumps(each, separators=(",", ":"), default=repr) for each in events)
    return f'{{"displayTimeUnit":"ms","otherData":{head},"traceEvents":[\n{lines}\n]}}\n'


def _findings(findings: Iterable[Finding]) -> Iterator[dict[str, Any]]:
    for each in findings:
        args = {"code": each.code, "subject": each.subject, "message": each.message, "evidence": list(each.evidence)}
        yield {"ph": "i", "s": "g", "pid": 0, "tid": 0, "ts": 0, "name": f"{each.code} {each.slug}", "args": args}
        yield from _findings(each.explained)


def _waterfall(report: Report) -> Iterator[dict[str, Any]]:
    yield _named("process_name", 1, 0, report.crew or "crew")
    tracks: dict[int, list[tuple[float, float]]] = {}
    for bar in report.waterfall:
        tid = bar.depth
        while any(bar.start < end and start < bar.end for start, end in tracks.get(tid, ())):
            tid += 100  # another track for what ran at once
        tracks.setdefault(tid, []).append((bar.start, bar.end))
        args = {"subject": bar.subject, "failure": bar.failure, "open": bar.open, "span": bar.span}
        yield _slice(bar.name, bar.kind, 1, tid, (bar.start, bar.end), args)


# --- a recording ---------------------------------------------------------------------------------------------------


def _recorded(recording: Recording) -> Iterator[dict[str, Any]]:
    ends = {result.step.id: result.end for result in recording.results}
    named = (each.step for held in (recording.spans, recording.events, recording.stacks) for each in held)
    steps = list(dict.fromkeys(named))
    by_step: dict[str, list[Span]] = {step: [] for step in steps}
    for span in recording.spans:
        by_step[span.step].append(span)
    pids = {step: pid for pid, step in enumerate(steps, start=1)}
    tracks: dict[str, int] = {}
    for step, pid in pids.items():
        yield _named("process_name", pid, 0, step)
        yield {"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": {"sort_index": pid}}
        yield from _step(by_step[step], pid, ends.get(step, recording.end), tracks)
    for event in recording.events:
        yield _mark(event.name, pids[event.step], 0, event.at, event.attrs)
    for stack in recording.stacks:
        user = f" at {stack.user_frame}" if stack.user_frame is not None else ""
        frames = [f"{frame}{f' in {frame.function}' if frame.function else ''}" for frame in stack.frames]
        args = {"thread": stack.thread, "span": stack.span, "seconds": stack.seconds, "frames": frames, **stack.attrs}
        tid = tracks.get(stack.span or "", 0)
        yield _mark(f"blocked: {stack.waiting}{user}", pids[stack.step], tid, stack.at, args)


def _step(spans: list[Span], pid: int, end: float, tracks: dict[str, int]) -> Iterator[dict[str, Any]]:
    known = {span.id: span for span in spans}
    lanes: list[tuple[str, list[tuple[float, float]]]] = []
    """Name and the slices going on, outermost first: on one track, slices lie within each other or apart."""
    for span in sorted(spans, key=lambda each: (each.start, -(_end(each, end)))):
        finish = _end(span, end)
        owner = _owner(span, known)
        above = tracks.get(span.parent, 0) if span.parent in known else 0  # a child process has tracks of its own
        tid = _lane(lanes, owner, above, (span.start, finish))
        lanes[tid - 1][1].append((span.start, finish))
        tracks[span.id] = tid
        yield _slice(
            span.name if not span.open else f"{span.name} (never ended)",
            span.layer.value,
            pid,
            tid,
            (span.start, finish),
            {"id": span.id, "subject": span.subject, "parent": span.parent, **_failed(span), **span.attrs},
        )
        yield from _flow(span, known, pid, tracks)
    for tid, (owner, _) in enumerate(lanes, start=1):
        yield _named("thread_name", pid, tid, owner)


def _lane(
    lanes: list[tuple[str, list[tuple[float, float]]]], owner: str, above: int, during: tuple[float, float]
) -> int:
    """The track for a slice: its parent's, another of its owner's, or a new one."""
    start, finish = during
    wanted = [above] if above else []
    wanted += [tid for tid, (name, _) in enumerate(lanes, start=1) if name == owner and tid != above]
    for tid in wanted:
        going = lanes[tid - 1][1]
        while going and going[-1][1] <= start:
            going.pop()
        if not going or finish <= going[-1][1]:
            return tid
    lanes.append((owner, []))
    return len(lanes)


def _flow(span: Span, known: dict[str, Span], pid: int, tracks: dict[str, int]) -> Iterator[dict[str, Any]]:
    """An arrow from a model call to an attempt of it on another track."""
    if span.name != "http.request":
        return
    above = known.get(span.parent or "")
    while above is not None and above.name != "llm.call":
        above = known.get(above.parent or "")
    if above is None or tracks.get(above.id) in {None, tracks[span.id]}:
        return
    flow = {"cat": "attempt", "name": "attempt", "id": span.id, "pid": pid, "ts": _micros(span.start)}
    yield {"ph": "s", **flow, "tid": tracks[above.id]}
    yield {"ph": "f", "bp": "e", **flow, "tid": tracks[span.id]}


def _owner(span: Span, known: dict[str, Span]) -> str:
    """Whose track it is: the thread where the span says so, else the nearest agent, task or crew above."""
    here: Span | None = span
    while here is not None:
        if here.attrs.get("thread"):
            return f"thread {here.attrs['thread']}"
        if here.subject.startswith(_OWNERS):
            return here.subject.partition("/")[0]
        here = known.get(here.parent or "")
    return span.subject or "step"


def _failed(span: Span) -> dict[str, Any]:
    return {"failure": encode(span.failure)} if span.failure is not None else {}


def _end(span: Span, end: float) -> float:
    return max(span.start, span.end if span.end is not None else end)


def _micros(seconds: float) -> float:
    return round(seconds * _MICROS, 1)


def _slice(
    name: str, category: str, pid: int, tid: int, during: tuple[float, float], args: dict[str, Any]
) -> dict[str, Any]:
    start, end = during
    at = {"ts": _micros(start), "dur": round(_micros(end) - _micros(start), 1)}
    return {"ph": "X", "name": name, "cat": category, "pid": pid, "tid": tid, **at, "args": args}


def _mark(name: str, pid: int, tid: int, at: float, args: dict[str, Any]) -> dict[str, Any]:
    scope = "t" if tid else "p"
    return {"ph": "i", "s": scope, "name": name, "pid": pid, "tid": tid, "ts": _micros(at), "args": args}


def _named(what: str, pid: int, tid: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"name": name}}
