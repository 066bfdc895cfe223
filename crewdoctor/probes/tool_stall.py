"""Each tool against a server that stops playing along: when does it give up, and with what.

The tool runs as it is, with its own client and real host names, in a process whose every connection is led to a server
of ours (`bench.redirect`). Nothing reaches the real service, so that tools that write are tried as well; what they
would change on this very machine stays guarded. A call that is still waiting at the end leaves its span unfinished;
what would have ended it is read from what it waits in, not waited for.
"""

from __future__ import annotations

import _thread
import contextvars
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.phase import STALLS, Phase
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, OpenSpan, Probe, Redirected
from crewdoctor.model.result import StepResult
from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.net import resolv_conf
from crewdoctor.probes._calls import arguments_for, foreign, uncounted

PROBE = Probe(
    id="tool.stall",
    layer=Layer.TOOL,
    question="the tool gives up on a server that goes silent",
    shortest=14.0,
)

LONGEST = 14.0
"""Seconds of a step: most of them to watch, the rest to start a server and to load the tool."""
WATCHED = 8.8
"""Seconds: the watchdog looks at 1, 2, 4 and 8."""
SHARE, SECONDS_OF_TOOL = 0.5, 5.0
"""Of the deadline for all tools; what one costs where ten of its phases wait side by side."""
_LAST = 0.45
"""Seconds before the deadline at which its very last look has been taken."""
_MOST_HEARD = 200
_SYN_RETRIES = Path("/proc/sys/net/ipv4/tcp_syn_retries")


def plan(inventory: Inventory, options: Options, results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step per tool and phase, where experiments were asked for."""
    if not options.prove or any(result.step.probe == PROBE.id for result in results):
        return
    ports = {endpoint.subject: endpoint.port for endpoint in inventory.endpoints}
    places = {each.subject: f"{each.scheme}://{each.host}:{each.port}/" for each in inventory.endpoints}
    # What is measured in seconds is not to share the machine with this.
    measured = tuple(f"tool.isolated@{tool.subject}" for tool in inventory.tools)
    most = room = max(1, int(options.deadline * SHARE / SECONDS_OF_TOOL))
    for tool in inventory.tools:
        if reason := foreign(tool) or (f"the deadline leaves time for {most} tools" if room <= 0 else ""):
            yield Skip(PROBE.id, PROBE.layer, tool.subject, reason)
            continue
        room -= 1
        args = {
            "redirected": True,
            "arguments": options.tool_arguments.get(tool.name, {}),
            "recorded": sorted({*options.inputs, *inventory.inputs_given}),
            "places": [places[each] for each in tool.endpoints if each in places],
            "ports": sorted({ports[each] for each in tool.endpoints if each in ports}),
            "allowed": tool.name in options.allow_tools,
        }
        for phase in STALLS:
            yield Step(
                f"{PROBE.id}@{tool.subject}/{phase.value}",
                PROBE.id,
                PROBE.layer,
                tool.subject,
                "loaded",
                LONGEST,
                {**args, "phase": phase.value},
                after=measured,
                announce=f"run tool {tool.name} against a server of ours that goes silent: {phase.value}",
            )


def run(step: Step, bench: Bench) -> None:
    """Facts: `heard`, `hosts`, `isolated`, `outside`, `resolver_seconds`, `kernel_seconds`, `args_source`."""
    crew = bench.loaded()
    tool = crew.tool(step.subject)
    arguments, source = arguments_for(step, bench, crew, tool)
    phase = Phase(step.args["phase"])
    lead = bench.redirect(step.args["ports"])
    lead.play(phase)
    _note_limits(bench)
    bench.fact("args_source", source)
    bench.fact("isolated", lead.isolated)
    _note_what_is_heard(bench, lead)
    with (
        uncounted(tool),
        bench.guard_writes(allowed=bool(step.args["allowed"] or source == "given")),
        bench.span("tool.stall", subject=step.subject, layer=Layer.TOOL, tool=tool.name, phase=phase.value) as span,
    ):
        attempt = _Attempt(bench, tool, arguments, span)
        if not attempt.ends_within(min(WATCHED, max(0.0, bench.remaining() - _LAST))):
            span.fail(Failure(FailureKind.DEADLINE, "it was still waiting when it was watched no longer"))
    if bench.blocked():
        bench.fact("blocked", True)
        bench.fact("blocked_what", sorted(set(bench.blocked())))
    if lead.outside:
        bench.fact("outside", lead.outside[0])


class _Attempt:
    """One call, in a thread of its own as crewai's executor makes it."""

    def __init__(self, bench: Bench, tool: Any, arguments: dict[str, Any], span: OpenSpan) -> None:
        self._bench, self._tool, self._arguments, self._span = bench, tool, arguments, span
        self._over, self._ended = threading.Event(), False

    def ends_within(self, seconds: float) -> bool:
        """Begin, and say whether it has ended by itself."""
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._call,), daemon=True).start()
        # Not a wait with a limit: that would be read as what ends the tool's.
        _thread.start_new_thread(self._watch, (seconds,))
        self._over.wait()
        return self._ended

    def _call(self) -> None:
        try:
            output = self._tool.run(**self._arguments)
            self._span.note(output_chars=len(str(output)), error_text=self._bench.error_in(output))
        except BaseException as error:
            self._span.fail(self._bench.classify(error))
        self._ended = True
        self._over.set()

    def _watch(self, seconds: float) -> None:
        time.sleep(seconds)
        self._over.set()


def _note_what_is_heard(bench: Bench, lead: Redirected) -> None:
    """Facts that survive a kill: how often each thing was heard, and of whom."""
    counts: Counter[str] = Counter()
    hosts: dict[str, None] = {}

    def heard(said: dict[str, Any]) -> None:
        counts[said["what"]] += 1
        if said.get("host"):
            hosts[str(said["host"])] = None
        if counts[said["what"]] <= _MOST_HEARD:
            bench.fact("heard", dict(counts))
            bench.fact("hosts", list(hosts)[:20])

    lead.listen(heard)


def _note_limits(bench: Bench) -> None:
    """How long this system itself would go on: its resolver asking, its kernel knocking."""
    known = resolv_conf.read()
    bench.fact("resolver_seconds", known.timeout * known.attempts * len(known.nameservers))
    with suppress(OSError, ValueError):  # not Linux: then it is not known
        bench.fact("kernel_seconds", 2.0 ** (int(_SYN_RETRIES.read_text("ascii")) + 1) - 1)
