"""A tool waits for the network without any limit.

## What it compares
The calls found in the tool's own source, and the timeouts seen in force when it was called, with what their client
does when nobody says how long: `requests`, `urllib` and plain sockets wait for ever. It stays silent where the tool
bounds the work in another way (`future.result(timeout=...)`, `asyncio.wait_for`), and where a limit was seen on the
wire. Where the stall test ran (`--prove`, `probe-tool --stall`) it decides: the tool, led to a server of ours that goes
silent, was still waiting and nothing would have ended that; or its very line gave up. Without it, a tool whose every
call was answered is a note: its service is well today. One that failed, hung, or could not be called is a warning.

## Why it matters
crewAI has no timeout for tools, and `max_execution_time` does not interrupt one. A service that accepts and stays
silent holds the task, its thread and the crew until somebody kills the process.

## Example
`requests.get(url)` in a tool: one silent server, and the crew never returns.

## How to fix
Give every call a limit: `requests.get(url, timeout=(3.05, 20))` is 3.05 s to connect and 20 s between two reads.

## References
- requests documentation, "Timeouts": "without a timeout, your code may hang for minutes or more"
- CPython `socket.getdefaulttimeout`: None unless set; crewAI `agent/core.py`: max_execution_time joins its thread
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget import NETWORK_CLIENTS, WAITERS, scan_id, scan_of, wire_timeout
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Severity
from crewdoctor.model.inventory import ScanEntry, ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.phase import Phase
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import UNLIMITED, Seconds
from crewdoctor.model.stall import Outcome, Stall
from crewdoctor.remedies import bounded_call
from crewdoctor.stalls import IN_WORDS, STALL_KEYS, ends, same_line, stalls
from crewdoctor.toolcalls import served


@rule(
    "CD301",
    since="0.1",
    needs=("inventory", "ledger"),
    uses=("span:net.exchange", "span:http.request", "span:tool.call", *STALL_KEYS),
)
def tool_without_timeout(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool nothing ends: it would hang, it has not."""
    for tool in evidence.inventory.tools:
        tried = stalls(evidence, tool.subject)
        if endless := [each for each in tried if each.outcome is Outcome.FOR_EVER]:
            yield _shown(evidence, tool, endless)
            continue
        known = evidence.ledger.tool(tool.subject)
        entry = next((each for each in scan_of(evidence.recording, tool.subject) if _endless(each)), None)
        client = _seen_client(evidence, tool)
        exchanges = {span.id for span in evidence.spans("net.exchange", subject=tool.subject)}
        seen = known.timeout is UNLIMITED and bool(exchanges & set(known.ids))
        if (
            not (entry or seen)
            or ends(tried, entry.location if entry else None)
            or _contradicted(evidence, tool)
            or _bounded_elsewhere(evidence, tool)
        ):
            continue
        call = f"`{entry.call}`" if entry else "a connection"
        location = entry.location if entry else known.location or tool.location
        line = wording.place(location, evidence.inventory.project_root)
        place = f" ({line})" if line else ""
        yield Finding(
            code="CD301",
            slug="tool_without_timeout",
            severity=Severity.INFO if served(evidence.spans("tool.call", subject=tool.subject)) else Severity.WARNING,
            layer=Layer.TOOL,
            subject=tool.subject,
            message=(
                f"Tool `{tool.name}` waits on {call} without a timeout{place}: a server that accepts and "
                "stays silent holds the crew for ever."
            ),
            evidence=tuple(dict.fromkeys((*known.ids, *((scan_id(entry),) if entry else ())))),
            location=location,
            fix=bounded_call(entry.client, entry.call, at=location) if entry else bounded_call(client, at=location),
            depends_on=tool.endpoints,
            observed=False,
        )


def _shown(evidence: Evidence, tool: ToolEntry, endless: list[Stall]) -> Finding:
    """The stall test saw it wait, in some phase, with nothing that would end it."""
    worst = next((each for each in endless if each.phase is Phase.REQUEST), endless[0])
    phases = wording.joined([IN_WORDS[each.phase] for each in endless])
    line = wording.place(worst.location, evidence.inventory.project_root)
    requests = evidence.experiments("http.request", subject=tool.subject)
    client = next((str(each.attrs["client"]) for each in requests if each.attrs.get("client")), "socket")
    calls = [each for each in scan_of(evidence.recording, tool.subject) if same_line(each.location, worst.location)]
    return Finding(
        code="CD301",
        slug="tool_without_timeout",
        severity=Severity.WARNING,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=(
            f"Tool `{tool.name}` was still waiting for {worst.host or 'its server'} after "
            f"{wording.seconds(worst.seconds)}{f' ({line})' if line else ''} when a server of ours in its place went "
            f"silent {phases}: no timeout is in force there, and nothing would have ended it."
        ),
        evidence=tuple(dict.fromkeys(key for each in endless for key in each.evidence)),
        location=worst.location or tool.location,
        fix=bounded_call(calls[0].client if calls else client, calls[0].call if calls else "", at=worst.location),
        depends_on=tool.endpoints,
        observed=False,
        attrs={"phases": ", ".join(each.phase.value for each in endless)},
    )


def _seen_client(evidence: Evidence, tool: ToolEntry) -> str:
    requests = evidence.spans("http.request", subject=tool.subject)
    return next((str(each.attrs["client"]) for each in requests if each.attrs.get("client")), "socket")


def _endless(entry: ScanEntry) -> bool:
    return entry.client in NETWORK_CLIENTS and wire_timeout(entry.timeout) is UNLIMITED


def _contradicted(evidence: Evidence, tool: ToolEntry) -> bool:
    """Whether a limit was seen on the wire that the source does not explain: something else sets one."""
    seen = evidence.ledger.tool(tool.subject).timeout
    told = [wire_timeout(entry.timeout) for entry in scan_of(evidence.recording, tool.subject)]
    return isinstance(seen, Seconds) and seen not in told


def _bounded_elsewhere(evidence: Evidence, tool: ToolEntry) -> bool:
    """Whether the tool waits for its own work with a finite limit: then the call's own does not matter."""
    return any(
        entry.client in WAITERS and isinstance(wire_timeout(entry.timeout), Seconds)
        for entry in scan_of(evidence.recording, tool.subject)
    )
