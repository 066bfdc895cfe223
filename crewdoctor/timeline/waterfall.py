"""The waterfall: one bar per operation worth showing, in the order they started."""

from __future__ import annotations

from collections.abc import Sequence

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
    "python.import": "framework",
}
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
        return node.span.name != "python.import" or node.seconds >= SMALLEST_SHARE * root.seconds
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
    if node.span.name == "http.request":
        status = f" → {attrs['status']}" if attrs.get("status") else ""
        return f"{attrs.get('method', '')} {attrs.get('url') or attrs.get('host', '')}{status}".strip()
    if node.span.name in {"tcp.connect", "tls.handshake", "net.exchange", "proxy.connect"}:
        return f"{attrs.get('host') or attrs.get('peer', '')}:{attrs.get('port', '')}".strip(":")
    if node.span.name.startswith("dns."):
        return str(attrs.get("host") or attrs.get("name", ""))
    if node.span.name == "llm.call":
        return str(attrs.get("model", ""))
    if node.span.name == "limiter.sleep":
        return f"max_rpm={attrs['max_rpm']}" if "max_rpm" in attrs else ""
    return ""
