"""The end of a recorded program: from its last line to the end of its process, and what it waited for there. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.setting import Location
from crewdoctor.model.span import Span, Stack
from crewdoctor.waits import WIRE, unfinished

EXIT_KEYS = ("span:process.exit", "span:exit.threads", *(f"span:{name}" for name in WIRE), "stacks")
"""What reading exits touches."""
TELEMETRY = "telemetry.crewai.com:4319"
"""Where crewai's telemetry goes (1.15)."""
_CALLS = ("crew.kickoff", "agent.execution", "task.execution", "tool.call", "llm.call")


@dataclass(frozen=True, slots=True)
class Exit:
    """One process's end."""

    span: Span
    end: float
    """When it was over, or last seen going on."""
    joined: Span | None
    """The wait for threads that are no daemons, where there were any."""
    hosts: dict[str, list[Span]] = field(default_factory=dict)
    """Operations on the wire that were made there, by host:port."""
    looks: tuple[Stack, ...] = ()
    busy: bool = False
    """Something of a crew was still going on: its hang is told where it is, not as a slow end."""

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.end - self.span.start

    def until(self, host: str) -> float:
        """Seconds from the last line to the last failed operation on `host`: pauses between attempts included."""
        failed = [each for each in self.hosts.get(host, ()) if each.failure is not None or unfinished(each)]
        return max((min(self.end, each.end or self.end) for each in failed), default=self.span.start) - self.span.start

    @property
    def threads(self) -> list[str]:
        """Names of the threads that were waited for."""
        return [str(each) for each in self.joined.attrs.get("threads", ())] if self.joined else []

    def line(self) -> tuple[Location | None, Stack | None]:
        """The user's own line it was last seen waiting at, and the look that shows it; else the last look."""
        theirs = [look for look in self.looks if look.user_frame is not None and look.waiting not in {"", "unknown"}]
        longest = max(theirs, key=lambda look: look.seconds, default=None)
        return (longest.user_frame, longest) if longest else (None, self.looks[-1] if self.looks else None)


def exits(evidence: Evidence) -> list[Exit]:
    """Every process that came to the end of its main thread."""
    evidence.touched.update(EXIT_KEYS)
    found = []
    for span in evidence.spans("process.exit"):
        end = evidence.end_of(span)
        joined = next((each for each in evidence.children(span, "exit.threads")), None)
        hosts: dict[str, list[Span]] = {}
        for name in WIRE:
            for each in evidence.spans(name):
                if each.step == span.step and each.start >= span.start and (host := address(each)):
                    hosts.setdefault(host, []).append(each)
        looks = tuple(look for look in evidence.stacks(step=span.step) if look.at >= span.start)
        busy = any(
            each.step == span.step and unfinished(each) for each in evidence.recording.spans if each.name in _CALLS
        )
        found.append(Exit(span, end, joined, hosts, looks, busy))
    return found


def address(span: Span) -> str:
    """host:port of an operation on the wire, as far as it says."""
    host, port = str(span.attrs.get("host") or ""), span.attrs.get("port")
    return f"{host}:{port}" if host and port else host
