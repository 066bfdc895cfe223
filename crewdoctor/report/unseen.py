"""Connections that only the kernel saw: what is not known of them stands in the report as not examined."""

from __future__ import annotations

from collections import defaultdict

from crewdoctor.model.inventory import Unexamined
from crewdoctor.model.recording import Recording
from crewdoctor.model.span import Span

_TOLD_BY_A_LIBRARY = frozenset({"http.request", "net.exchange"})
"""Spans above a connection that tell its phases and timeouts themselves."""


def unseen(recording: Recording) -> tuple[Unexamined, ...]:
    """One line per peer and program, with the calls it was seen in."""
    names = {span.id: span.name for span in recording.spans}
    found: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for span in recording.spans:
        if span.attrs.get("kernel") is True and names.get(span.parent or "") not in _TOLD_BY_A_LIBRARY:
            peer = f"{span.attrs.get('host')}:{span.attrs.get('port')}"
            found[peer, str(span.attrs.get("program") or "")].append(span)
    return tuple(
        Unexamined(f"connection to {peer}", _reason(program, spans)) for (peer, program), spans in found.items()
    )


def _reason(program: str, spans: list[Span]) -> str:
    subjects = sorted({span.subject for span in spans if span.subject})
    where = f" in {', '.join(subjects)}" if subjects else ""
    whose = f"made by the child process {program}" if program else "made by a library's own C code"
    return f"{whose}{where}: only the kernel saw it; its phases and timeouts are not known"
