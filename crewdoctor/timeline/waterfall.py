"""The waterfall: one bar per operation worth showing, in the order they started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from crewdoctor.model.report import Bar
from crewdoctor.timeline.path import Segment
from crewdoctor.timeline.tree import Node

_KIND_OF = {
    "crew.kickoff": "crew",
    "task.execution": "task",
    "agent.execution": "agent",
    "llm.call": "llm",
    "tool.call": "tool",
    "limiter.sleep": "limiter",
    "retry.backoff": "backoff",
    "pool.wait": "wait",
    "thread.wait": "wait",
    "process.wait": "wait",
    "python.import": "framework",
}
_BRIEF = frozenset({"python.import", "pool.wait", "thread.wait", "process.wait"})
"""Shown from that share on, as those of the network are."""
SMALLEST_SHARE = 0.02
"""Network operations shorter than this share of the kickoff are left out, unless they failed or never ended."""
MOST_BARS = 400


def waterfall(root: Node, path: Sequence[Segment]) -> tuple[Bar, ...]:
    """Bars depth first; start and end are seconds since the kickoff began."""
    on_path = {id(node) for segment in path for node in segment.node.chain()}
    shown = [node for node in root.walk() if _worth_a_bar(node, root)]
    depths = _depths(shown)
    return tuple(
        Bar(
            name=node.span.name,
            subject=node.span.subject,
            start=node.start - root.start,
            end=node.end - root.start,
            depth=depths[id(node)],
            kind=_KIND_OF.get(node.span.name, "network"),
            open=node.span.open,
            failure=node.span.failure.kind.value if node.span.failure is not None else "",
            critical=id(node) in on_path,
            detail=_detail(node),
            span=node.span.id,
        )
        for node in shown[:MOST_BARS]
    )


def _worth_a_bar(node: Node, root: Node) -> bool:
    if node.span.name in _KIND_OF:
        brief = node.span.name in _BRIEF and not node.span.open
        return not brief or node.seconds >= SMALLEST_SHARE * root.seconds
    if node.span.name == "net.exchange" and any(each.span.name == "http.request" for each in node.chain()):
        return False
    return node.span.open or node.span.failure is not None or node.seconds >= SMALLEST_SHARE * root.seconds


def _depths(shown: Sequence[Node]) -> dict[int, int]:
    """Depth among the bars that are shown: a bar never hangs from one that was left out."""
    depths: dict[int, int] = {}
    for node in shown:
        above = next((each for each in node.chain() if each is not node and id(each) in depths), None)
        depths[id(node)] = depths[id(above)] + 1 if above is not None else 0
    return depths


def _detail(node: Node) -> str:
    attrs = node.span.attrs
    if node.span.name in _TOLD:
        return _TOLD[node.span.name](attrs)
    if node.span.name == "http.request":
        status = f" → {attrs['status']}" if attrs.get("status") else ""
        again = f"#{attrs['attempt']} " if int(attrs.get("attempt") or 1) > 1 else ""
        return f"{again}{attrs.get('method', '')} {attrs.get('url') or attrs.get('host', '')}{status}".strip()
    if node.span.name in {"tcp.connect", "tls.handshake", "net.exchange", "proxy.connect"}:
        return f"{attrs.get('host') or attrs.get('peer', '')}:{attrs.get('port', '')}".strip(":")
    if node.span.name.startswith("dns."):
        return str(attrs.get("host") or attrs.get("name", ""))
    if node.span.name == "llm.call":
        return str(attrs.get("model", ""))
    return ""


def _workers(attrs: dict[str, Any]) -> str:
    return f"for one of {attrs['workers']} threads" if attrs.get("workers") else "for a thread of a pool"


_TOLD: dict[str, Callable[[dict[str, Any]], str]] = {
    "agent.execution": lambda attrs: f"execution {attrs['execution']}" if int(attrs.get("execution") or 1) > 1 else "",
    "limiter.sleep": lambda attrs: f"max_rpm={attrs['max_rpm']}" if "max_rpm" in attrs else "",
    "retry.backoff": lambda attrs: f"before retry {attrs['attempt'] + 1}" if "attempt" in attrs else "before a retry",
    "pool.wait": lambda attrs: f"for a connection of {attrs['size']}" if attrs.get("size") else "for a connection",
    "thread.wait": _workers,
    "process.wait": lambda attrs: str(attrs.get("program", "")),
}
