"""Kubernetes manifests: how long a Job or Pod may run, how long a Knative service or an nginx ingress waits.

Sources: Kubernetes API reference: `activeDeadlineSeconds` of JobSpec and PodSpec; Knative Serving API:
`timeoutSeconds` of RevisionSpec; ingress-nginx documentation, "Annotations": `proxy-read-timeout`, in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crewdoctor.scan.platforms.limit import Around, Outer, seconds
from crewdoctor.scan.platforms.yaml_nodes import at, documents, entries, items, line, scalar

PATTERNS = tuple(
    f"{folder}{name}"
    for folder in ("", "k8s/", "k8s/**/", "kubernetes/**/", "kubernetes/", "deploy/", "deploy/**/", "manifests/")
    for name in ("*.yaml", "*.yml")
)
_DEADLINES = (
    ("spec", "activeDeadlineSeconds"),
    ("spec", "template", "spec", "activeDeadlineSeconds"),
    ("spec", "jobTemplate", "spec", "activeDeadlineSeconds"),
    ("spec", "jobTemplate", "spec", "template", "spec", "activeDeadlineSeconds"),
)
_KINDS = frozenset({"Job", "CronJob", "Pod", "Deployment"})
_INGRESS = "nginx.ingress.kubernetes.io/proxy-read-timeout"


def limits(around: Around) -> Iterator[Outer]:
    """Every object's."""
    for document in documents(around.text()):
        objects = items(at(document, "items")) if scalar(at(document, "kind")) == "List" else (document,)
        for each in objects:
            if "apiVersion" in entries(each):
                yield from _of_object(each, around)


def _of_object(node: Any, around: Around) -> Iterator[Outer]:
    kind, name = scalar(at(node, "kind")), scalar(at(node, "metadata", "name"))
    whom = f"{kind}/{name}" if name else kind
    for path in _DEADLINES if kind in _KINDS else ():
        held = at(node, *path)
        if held is not None:
            yield Outer("kubernetes", path[-1], seconds(scalar(held)), around.at(line(held)), whom=whom)
    if kind == "Service" and "serving.knative.dev" in scalar(at(node, "apiVersion")):
        held = at(node, "spec", "template", "spec", "timeoutSeconds")
        if held is not None:
            yield Outer("knative", "timeoutSeconds", seconds(scalar(held)), around.at(line(held)), whom=whom)
    if kind == "Ingress":
        held = at(node, "metadata", "annotations", _INGRESS)
        if held is not None:
            given = seconds(scalar(held))
            yield Outer("nginx ingress", "proxy-read-timeout", given, around.at(line(held)), ends=False, whom=whom)
