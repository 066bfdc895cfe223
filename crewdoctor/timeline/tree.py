"""Spans of one step as a tree: by parent links first, by time where a link is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from crewdoctor.model.span import Span

OWNERS = ("tool.call", "llm.call", "agent.execution", "task.execution", "crew.kickoff")
"""Spans that may adopt an operation whose context was lost (a connection made in a tool's own thread pool)."""


@dataclass(slots=True)
class Node:
    """A span with its place in the tree. `end` is never None: an open span lasts until its step did."""

    span: Span
    start: float
    end: float
    depth: int = 0
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.end - self.start

    @property
    def subject(self) -> str:
        """Its own subject, else that of the nearest ancestor that has one."""
        node: Node | None = self
        while node is not None and not node.span.subject:
            node = node.parent
        return node.span.subject if node is not None else ""

    def chain(self) -> Iterator[Node]:
        """This node and its ancestors, innermost first."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def walk(self) -> Iterator[Node]:
        """This node and all beneath it, depth first, in order of start."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def exclusive(self) -> float:
        """Seconds of this span in which none of its children ran."""
        return max(0.0, self.seconds - covered(((child.start, child.end) for child in self.children), self))


def covered(intervals: Iterable[tuple[float, float]], within: Node) -> float:
    """Length of the union of `intervals`, clipped to `within`."""
    total = 0.0
    reached = within.start
    for start, end in sorted(intervals):
        begin, finish = max(start, reached), min(end, within.end)
        if finish > begin:
            total += finish - begin
            reached = finish
    return total


def grow(root: Span, spans: Sequence[Span], until: float) -> Node:
    """Build the tree of `root` from the spans of its step; spans outside its time are left out.

    A parent that is missing, later in time, or part of a circle is replaced by the innermost owner that was open
    over the whole operation, when exactly one chain of owners was; else by the root. Open spans end at `until`.
    """
    end = max(root.start, root.end if root.end is not None else until)
    top = Node(root, root.start, end)
    nodes = {root.id: top}
    for span in spans:
        finish = max(span.start, span.end if span.end is not None else until)
        if span.id not in nodes and finish >= top.start and span.start <= top.end:
            nodes[span.id] = Node(span, max(span.start, top.start), min(finish, top.end))
    ordered = sorted(nodes.values(), key=lambda node: (node.start, -node.end, node.span.id))
    owners = [node for node in ordered if node.span.name in OWNERS and _anchored(node, nodes)]
    for node in ordered:
        if node is not top:
            node.parent = _parent(node, nodes, owners, top)
            node.parent.children.append(node)
    for node in top.walk():
        node.depth = node.parent.depth + 1 if node.parent is not None else 0
    return top


def _parent(node: Node, nodes: dict[str, Node], owners: Sequence[Node], top: Node) -> Node:
    linked = nodes.get(node.span.parent or "")
    if linked is not None and linked is not node and not _circular(node, nodes):
        return linked
    if node.span.name in OWNERS:
        return top
    around = [owner for owner in owners if owner is not node and owner.start <= node.start and owner.end >= node.end]
    innermost = [owner for owner in around if not any(_is_beneath(other, owner, nodes) for other in around)]
    return innermost[0] if len(innermost) == 1 else top


def _circular(node: Node, nodes: dict[str, Node]) -> bool:
    seen = {node.span.id}
    following = node.span.parent
    while following is not None and following in nodes:
        if following in seen:
            return True
        seen.add(following)
        following = nodes[following].span.parent
    return False


def _anchored(owner: Node, nodes: dict[str, Node]) -> bool:
    """Whether its links lead to the root or an owner: only then may it adopt, or two orphans could adopt in a ring."""
    if _circular(owner, nodes):
        return False
    last = owner
    while last.span.parent in nodes:
        last = nodes[last.span.parent]
        if _circular(last, nodes):
            return False
    return last.span.name in OWNERS


def _is_beneath(node: Node, ancestor: Node, nodes: dict[str, Node]) -> bool:
    seen: set[str] = set()
    following = node.span.parent
    while following is not None and following in nodes and following not in seen:
        if following == ancestor.span.id:
            return True
        seen.add(following)
        following = nodes[following].span.parent
    return False
