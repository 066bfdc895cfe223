"""Functions in a cloud: serverless.yml, AWS SAM's template.yaml, vercel.json.

Sources: Serverless Framework documentation, "Functions": `timeout` of `provider` and of a function, in seconds, 6 by
default; AWS SAM specification, `AWS::Serverless::Function` and `Globals`: `Timeout`, 3 by default; Vercel
documentation, "Project configuration": `functions.<path>.maxDuration`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crewdoctor.model.setting import Seconds
from crewdoctor.scan.platforms.limit import Around, Outer, seconds
from crewdoctor.scan.platforms.yaml_nodes import at, documents, entries, line, scalar

PATTERNS = ("serverless.yml", "serverless.yaml", "template.yaml", "template.yml", "vercel.json")


def limits(around: Around) -> Iterator[Outer]:
    """One a function."""
    for document in documents(around.text())[:1]:
        if around.file.name.startswith("serverless"):
            yield from _serverless(document, around)
        elif around.file.name == "vercel.json":
            yield from _vercel(document, around)
        elif "AWS::Serverless" in scalar(at(document, "Transform")):
            yield from _sam(document, around)


def _serverless(document: Any, around: Around) -> Iterator[Outer]:
    shared = at(document, "provider", "timeout")
    for name, function in entries(at(document, "functions")).items():
        own = at(function, "timeout")
        held = own if own is not None else shared
        if held is not None:
            yield Outer("serverless", "timeout", seconds(scalar(held)), around.at(line(held)), whom=name)
        else:
            yield Outer("serverless", "timeout", Seconds(6.0), around.at(line(function)), written=False, whom=name)


def _sam(document: Any, around: Around) -> Iterator[Outer]:
    shared = at(document, "Globals", "Function", "Timeout")
    for name, resource in entries(at(document, "Resources")).items():
        if scalar(at(resource, "Type")) != "AWS::Serverless::Function":
            continue
        own = at(resource, "Properties", "Timeout")
        held = own if own is not None else shared
        if held is not None:
            yield Outer("AWS SAM", "Timeout", seconds(scalar(held)), around.at(line(held)), whom=name)
        else:
            yield Outer("AWS SAM", "Timeout", Seconds(3.0), around.at(line(resource)), written=False, whom=name)


def _vercel(document: Any, around: Around) -> Iterator[Outer]:
    for name, function in entries(at(document, "functions")).items():
        held = at(function, "maxDuration")
        if held is not None:
            yield Outer("vercel", "maxDuration", seconds(scalar(held)), around.at(line(held)), whom=name)
