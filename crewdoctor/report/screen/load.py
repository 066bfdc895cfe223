"""The crew many times at once: a line and a bar per number of kickoffs, and the numbers a person acts on."""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.report import Confirmed, Load, LoadLevel, Report
from crewdoctor.report.screen.line import Line, heading, line, simulated

FILL = {"llm": "\N{FULL BLOCK}", "tool": "\N{DARK SHADE}", "waiting": "\N{LIGHT SHADE}", "rest": "\N{MIDDLE DOT}"}
_STYLE = {"llm": "blue", "tool": "cyan", "waiting": "magenta", "rest": "dim"}
_NAMES = {"llm": "model", "tool": "tools", "waiting": "waiting for a thread", "rest": "the rest"}
_FIGURES = 43
_SHORTEST_TRACK = 12
_STOPPED = {
    "knee": "more of them would only wait for each other",
    "errors": "too many of them failed",
    "limiter": "its own max_rpm puts it to sleep, a whole minute each time",
    "unfinished": "the last ones did not come to their end in time",
    "max-concurrency": "no more were asked for (--max-concurrency)",
    "max-llm-calls": "the calls of the crew's own model would not suffice for more (--max-llm-calls)",
    "deadline": "the deadline leaves no time for more (--deadline)",
    "endpoint": "more would load an endpoint that is not this machine (--yes-load-this-endpoint)",
}


def lines(report: Report, width: int) -> Iterator[Line]:
    """The section."""
    load = report.load
    if load is None:
        return
    where = f", as {load.where} does" if load.where else ""
    yield from heading(f"Many kickoffs at once, by {load.style}{where}")
    yield line((f"{'at once':>7}  {'a kickoff':>9}  {'longest':>8}  {'a second':>8}  ", "dim"), indent=2)
    longest = max((sum(each.layers.values()) for each in load.levels), default=0.0) or 1.0
    track = max(_SHORTEST_TRACK, width - _FIGURES - (len("  SIMULATED") if load.simulated else 0))
    for each in load.levels:
        yield _level(each, longest, track, simulated_model=load.simulated)
    told = ", ".join(f"{FILL[name]} {_NAMES[name]}" for name in FILL if any(each.layers[name] for each in load.levels))
    yield line((f"an average kickoff: {told}", "dim"), indent=2, hang=2)
    for sentence in sentences(load):
        yield line(sentence, indent=2, hang=2)


def sentences(load: Load) -> Iterator[str]:
    """What it stands, and why no more was tried."""
    if load.broken is not None:
        yield f"Every timeout and rate limit held with {load.kept} at once, not with {load.broken}."
    elif load.kept:
        yield f"Every timeout and rate limit held with up to {load.kept} at once."
    if load.saturates is not None:
        low, high = load.saturates
        yield f"From a number between {low} and {high} on, more at once bring no more through."
    if load.next_limit:
        yield load.next_limit
    if load.confirmed is not None:
        yield _confirmed(load.confirmed)
    if load.stopped_by in _STOPPED:
        yield f"It went no further: {_STOPPED[load.stopped_by]}."
    if any(each.busy for each in load.levels):
        yield "Where it says `busy`, this machine may have been the limit itself: nobody else is blamed there."


def _confirmed(held: Confirmed) -> str:
    took, before = (
        "none came to its end" if each.seconds is None else f"{wording.seconds(each.seconds)} each"
        for each in (held.after, held.before)
    )
    through = f"{held.after.per_second:.1f} a second came through ({held.before.per_second:.1f})"
    trouble = held.after.failed + held.after.timeouts, held.before.failed + held.before.timeouts
    failed = f", {trouble[0]} failed or were cut off ({trouble[1]})" if any(trouble) else ""
    verdict = "Confirmed" if held.better else "Not confirmed"
    return f"{verdict}: with {held.change}, {held.after.n} at once took {took} (before: {before}), {through}{failed}."


def _level(each: LoadLevel, longest: float, track: int, *, simulated_model: bool) -> Line:
    took = wording.seconds(each.seconds) if each.seconds is not None else "never"
    most = wording.seconds(each.longest) if each.longest is not None else ""
    bars = [
        (FILL[name] * round(each.layers[name] / longest * track), _STYLE[name]) for name in FILL if each.layers[name]
    ]
    trouble = [
        f"  {wording.plural(count, noun)}"
        for count, noun in ((each.failed, "failed kickoff"), (each.timeouts, "call cut off"))
        if count
    ]
    return line(
        f"{each.n:>7}  {took:>9}  {most:>8}  {each.per_second:>8.1f}  ",
        *bars,
        ("".join(trouble).replace("call cut offs", "calls cut off"), "red"),
        ("  busy" if each.busy else "", "yellow"),
        simulated(mark=simulated_model),
        indent=2,
        hang=9,
    )
