"""Every span, event, fact and attribute the code writes stands in docs/spans.md; read from the code by `ast`."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

from crewdoctor.wire.frames import FORMAT, FRAME_KINDS, RECORD_KINDS
from crewdoctor.wire.thinning import WIRE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "spans.md").read_text(encoding="utf-8")
CODE = ("worker", "probes", "llm", "supervisor")
OWN = {"subject", "layer", "parent", "start", "end", "failure"}
"""Members of a span itself, not of its attributes."""
OPENING = {"open", "span", "TimedSpan", "__init__"}
CLOSING = {"close", "note", "end"}
TELLING = {"attrs", "added", "attributes", "of_headers"}
"""Functions that put a span of the hot path into words when it is written (`worker/taps/calls.py`)."""


def nodes():
    for folder in CODE:
        for path in sorted((ROOT / "crewdoctor" / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                yield path, node


def _texts(node):
    """The texts an argument may be: a literal, or either side of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    if isinstance(node, ast.JoinedStr):
        return ["".join(each.value if isinstance(each, ast.Constant) else "{}" for each in node.values)]
    return []


def _keywords(node):
    return {each.arg for each in node.keywords if each.arg}


@functools.cache
def written():
    """Kind → name → where: spans, events, facts, attributes."""
    found = {"span": {}, "event": {}, "fact": {}, "attribute": {}}
    for path, node in nodes():
        where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        for kind, name in (*_of_a_call(node, path), *_of_a_table(path, node), *_of_the_hot_path(node)):
            found[kind].setdefault(name, where)
    return found


def _of_a_call(node, path):
    if not isinstance(node, ast.Call):
        return
    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
    names = [text for each in node.args[:2] for text in _texts(each)]
    spans = [text for text in names if "." in text and text.replace(".", "").replace("_", "").isalpha()]
    given = {each.arg for each in node.keywords if each.arg}
    if called in OPENING and spans:
        yield "span", spans[0]
        # `TimedSpan` keeps the peer for the table of operations in flight.
        given -= OWN | ({"peer"} if called in {"TimedSpan", "__init__"} else set())
        yield from (("attribute", name) for name in given)
    elif called in CLOSING and _is_ours(node) and path.parent.name != "supervisor":
        yield from (("attribute", name) for name in given - OWN)
    elif called in {"event", "_event"} and names:
        yield "event", names[0]
        yield from (("attribute", name) for name in given)
    elif called == "fact" and names:
        yield "fact", names[0]


def _of_a_table(path, node):
    if isinstance(node, ast.Tuple) and len(node.elts) == 2 and _is_layer(node.elts[1]):
        yield from (("span", name) for name in _texts(node.elts[0]))  # `("tool.call", Layer.TOOL)`
    for held in _attributes(path, node):
        yield from (("attribute", name) for key in held.keys if key is not None for name in _texts(key))


def _of_the_hot_path(node):
    """Spans that are classes of their own: `name` in the body, attributes in what `TELLING` make."""
    if isinstance(node, ast.ClassDef):
        for each in node.body:
            if isinstance(each, ast.Assign) and getattr(each.targets[0], "id", "") == "name":
                yield from (("span", name) for name in _texts(each.value) if "." in name)
    if isinstance(node, ast.FunctionDef) and node.name in TELLING:
        for each in ast.walk(node):
            if isinstance(each, ast.Dict):
                held = [key for key in each.keys if key is not None]
            elif isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store):
                held = [each.slice]
            else:
                continue
            yield from (("attribute", name) for key in held for name in _texts(key))


def _is_layer(node):
    return isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "Layer"


def _attributes(path, node):
    """Dicts that become attributes: assigned to `attrs` or what goes into them, returned by crew_attributes."""
    if "providers" in path.parts:
        return []  # those of an entry of the inventory
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(getattr(each, "id", "") in {"attrs", "extra", "common"} for each in targets) and node.value is not None:
            return [each for each in ast.walk(node.value) if isinstance(each, ast.Dict)][:1]
    if path.name == "crew_attributes.py" and isinstance(node, ast.Return) and node.value is not None:
        return [each for each in ast.walk(node.value) if isinstance(each, ast.Dict)]
    return []


def _is_ours(node):
    """Whether `close`, `note` or `end` is called on a recorder, a span or a TimedSpan's self."""
    on = getattr(node.func, "value", None)
    name = getattr(on, "attr", getattr(on, "id", ""))
    return name.lstrip("_") in {"recorder", "bench", "span", "self", "handshake"}


@pytest.mark.parametrize("kind", ["span", "event", "fact", "attribute"])
def test_what_the_code_writes_is_documented(kind):
    missing = {name: where for name, where in written()[kind].items() if f"`{name}`" not in PAGE}
    assert missing == {}, f"docs/spans.md has no {kind}: {missing}"


def test_the_search_finds_what_it_should():
    found = written()
    assert {"http.request", "net.exchange", "tcp.connect", "dns.lookup", "tool.call", "task.execution"} <= set(
        found["span"]
    )
    assert {"received_bytes", "first_byte", "timeout", "phase", "version", "call_id", "rung"} <= set(found["attribute"])
    assert {"retry_after", "client_object", "connection", "sent_bytes", "gap_max"} <= set(found["attribute"])
    assert {"blocked.would_write", "client.shared", "endpoint.ready"} <= set(found["event"])
    assert {"inventory", "rungs", "args_source", "load_failure"} <= set(found["fact"])


def test_every_frame_and_record_is_documented():
    assert [kind for kind in RECORD_KINDS if f"| `{kind}` |" not in PAGE] == []
    assert set(FRAME_KINDS) <= set(RECORD_KINDS)
    assert f"`{FORMAT}`" in PAGE


def test_what_may_be_left_out_is_named():
    part = PAGE.partition("## What may be missing")[2].partition("\n## ")[0]
    assert [name for name in sorted(WIRE) if f"`{name}`" not in part] == []
