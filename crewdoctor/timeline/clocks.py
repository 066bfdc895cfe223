"""The three clocks of a recorded program: what is imported, its kickoffs, and its end. Pure."""

from __future__ import annotations

from typing import Any

from crewdoctor.model.recording import Recording
from crewdoctor.model.span import Span
from crewdoctor.waits import WIRE, unfinished

WAITS = frozenset({*WIRE, "llm.call", "tool.call", "limiter.sleep", "retry.backoff", "prompt.trace"})
WORTH_A_LINE = 1.0
"""Seconds from which a wait is one of the longest (ours)."""
_MOST_LINES = 5
_SHOWN = 3
_WORTH = 0.3


def clocks(recording: Recording) -> list[dict[str, Any]]:
    """`name`, `seconds`, `detail`, in order; none where no program was recorded."""
    if recording.header.options.scope != "run" or not recording.results:
        return []
    main = recording.results[0].step.id.replace("program.process", "crew.kickoff")
    mine = [span for span in recording.spans if span.step == main]
    known = {span.id: span for span in mine}
    imports = [span for span in mine if span.name == "python.import"]
    outermost = [span for span in imports if span.parent not in known and _before_kickoffs(span, mine)]
    kickoffs = [span for span in recording.spans if span.name == "crew.kickoff" and span.parent is None]
    told: list[dict[str, Any]] = [
        {"name": "import", "seconds": _sum(outermost, recording), "detail": _longest(outermost + imports, recording)}
    ]
    if kickoffs:
        count = f"{len(kickoffs)} kickoffs" if len(kickoffs) > 1 else ""
        told.append({"name": "kickoff", "seconds": _sum(kickoffs, recording), "detail": count})
    ending = next((span for span in mine if span.name == "process.exit"), None)
    if ending is not None:
        gone = next((event.at for event in recording.events if event.name == "program.ended"), None)
        end = gone if gone is not None else ending.end if ending.end is not None else recording.end
        told.append({"name": "exit", "seconds": round(end - ending.start, 3), "detail": _waited(ending, mine, end)})
    return told


def longest(recording: Recording) -> list[dict[str, Any]]:
    """The longest waits of a recorded program, in a crew or beside one: `name`, `whom`, `seconds`, `open`, `at`."""
    if recording.header.options.scope != "run":
        return []
    ends = {result.step.id: result.end for result in recording.results}
    by_id = {span.id: span for span in recording.spans}
    told: list[dict[str, Any]] = []
    for span in recording.spans:
        above = by_id.get(span.parent or "")
        if span.name not in WAITS or (above is not None and above.name in WAITS and above.name != "tool.call"):
            continue
        host, port = span.attrs.get("host"), span.attrs.get("port")
        whom = f"{host}:{port}" if host and port else str(host or span.subject)
        seconds = round(span.seconds(ends.get(span.step, recording.end)), 3)
        if seconds >= WORTH_A_LINE:
            told.append(
                {"name": span.name, "whom": whom, "seconds": seconds, "open": unfinished(span), "span": span.id}
            )
    told.sort(key=lambda each: -each["seconds"])
    return [{**each, "at": _line(recording, str(each["span"]))} for each in told[:_MOST_LINES]]


def _line(recording: Recording, span: str) -> str:
    """The user's line it was last seen waiting at, beneath it included."""
    within = {span}
    for each in recording.spans:
        if each.parent in within:
            within.add(each.id)
    looks = [look for look in recording.stacks if look.span in within and look.user_frame is not None]
    return str(looks[-1].user_frame) if looks else ""


def _before_kickoffs(span: Span, spans: list[Span]) -> bool:
    first = min((each.start for each in spans if each.name == "crew.kickoff"), default=float("inf"))
    return span.start < first


def _sum(spans: list[Span], recording: Recording) -> float:
    return round(sum(span.seconds(recording.end) for span in spans), 3)


def _longest(spans: list[Span], recording: Recording) -> str:
    took = {str(span.attrs.get("module") or span.subject): span.seconds(recording.end) for span in spans}
    most = sorted(took.items(), key=lambda each: -each[1])[:_SHOWN]
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in most if seconds >= _WORTH)


def _waited(ending: Span, spans: list[Span], end: float) -> str:
    """Threads that were joined, and hosts that failed there, with when the last attempt was."""
    told = []
    for span in spans:
        if span.name == "exit.threads" and span.seconds(end) >= _WORTH:
            names = ", ".join(str(each) for each in span.attrs.get("threads", ())[:_SHOWN])
            told.append(f"threads {names} {span.seconds(end):.1f} s")
    hosts: dict[str, float] = {}
    for span in spans:
        if span.name == "http.request" and span.start >= ending.start and (span.failure is not None or span.open):
            host = f"{span.attrs.get('host')}:{span.attrs.get('port')}"
            hosts[host] = max(hosts.get(host, 0.0), (span.end if span.end is not None else end) - ending.start)
    told += [f"{host} until {seconds:.1f} s" for host, seconds in hosts.items() if seconds >= _WORTH]
    return "; ".join(told)
