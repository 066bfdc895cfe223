"""What `probe-llm` and `probe-net` look at: a model named by the environment, or hosts; crewai is never imported.

`args`: `kind` (`model` or `hosts`), `project_root`, `model` {name, base_url, key_variable}, `hosts`. What names nothing
usable is a TargetDoesNotLoad, noted as `load_failure`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
from pathlib import Path
from types import ModuleType
from typing import Any

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.probe import CannotProbe
from crewdoctor.wire.redact import learn_environment
from crewdoctor.worker.hosts import endpoint, merged, sdk_library
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.machine import environment_facts, proxies, versions
from crewdoctor.worker.named_model import NamedModel, named_model
from crewdoctor.worker.project_paths import load_environment
from crewdoctor.worker.provenance import Sources

SUBJECT = "llm"
_CLIENTS = ("httpx", "requests", "urllib", "aiohttp")
_SECURED = frozenset({443, 465, 636, 853, 993, 995, 4443, 5671, 6380, 6443, 8443, 9443, 10443})
"""Ports of servers that begin with a TLS handshake, by IANA or by custom."""


def inspect(args: dict[str, Any], recorder: Any) -> tuple[Inventory, WithoutCrew]:
    """The inventory of a model or of hosts, and what stands in for a loaded crew. Raises TargetDoesNotLoad."""
    root = Path(str(args.get("project_root") or "."))
    dotenv = load_environment(root / ".env")
    learn_environment(os.environ)
    held = Inventory(
        target=str(args.get("target", "")),
        crew="",
        project_root=str(root),
        shape=str(args["kind"]),
        versions=versions(),
        python=platform.python_version(),
        environment=environment_facts(),
    )
    try:
        if args["kind"] == "hosts":
            return _hosts(held, [str(each) for each in args["hosts"]])
        return _model(held, dict(args.get("model") or {}), Sources(dotenv=dotenv, root=root))
    except TargetDoesNotLoad as failure:
        recorder.fact("load_failure", failure.as_fact())
        raise


def _hosts(held: Inventory, hosts: list[str]) -> tuple[Inventory, WithoutCrew]:
    from dataclasses import replace

    clients = tuple(name for name in _CLIENTS if name == "urllib" or importlib.util.find_spec(name))
    found = []
    for text in hosts:
        place = endpoint(_with_scheme(text), "host", used_by=("the command line",), clients=clients, source=text)
        if place is None:
            raise TargetDoesNotLoad(
                "no_such_name", f"{text}: not a host", "write api.example.com, host:8443 or a URL", usage=True
            )
        found.append(place)
    return replace(held, endpoints=merged([*found, *proxies()])), WithoutCrew(None)


def _with_scheme(text: str) -> str:
    """`host`, `host:port` and URLs alike: a bare host is https; a port says by its number whether TLS is expected."""
    if "://" in text:
        return text
    head, colon, port = text.rpartition(":")
    numbered = colon and port.isdigit() and (":" not in head or head.endswith("]"))
    return f"{'http' if numbered and int(port) not in _SECURED else 'https'}://{text}"


def _model(held: Inventory, asked: dict[str, str], sources: Sources) -> tuple[Inventory, WithoutCrew]:
    from dataclasses import replace

    live = named_model(asked)
    entry, settings = _provider(live).describe(live, SUBJECT, sources)
    library = str(entry.attrs.get("library") or sdk_library())
    where = endpoint(live.base_url, "llm", used_by=(SUBJECT,), clients=(library,), source=live.base_url_from)
    if where is None:
        raise TargetDoesNotLoad(
            "no_such_name",
            f"{live.base_url_from} is {live.base_url!r}, which is no URL",
            "write it as https://host/v1",
            usage=True,
        )
    provider = "openai" if where.host == "api.openai.com" else "openai-compatible"
    entry = replace(entry, provider=provider if live.kind == "openai" else entry.provider, endpoint=where.subject)
    inventory = replace(
        held, llms=(entry,), settings=tuple(settings), endpoints=merged([where, *proxies()]), target=live.model
    )
    return inventory, WithoutCrew(live)


def _provider(live: NamedModel) -> ModuleType:
    return importlib.import_module(f"crewdoctor.worker.providers.{live.kind}")


class WithoutCrew:
    """Implements `model.probe.LoadedCrew` for a model alone."""

    crew = None

    def __init__(self, live: NamedModel | None) -> None:
        self._live = live
        self.inputs: dict[str, Any] = {}

    def agent(self, subject: str) -> Any:
        """There is none. Raises CannotProbe."""
        raise CannotProbe(f"no crew was loaded: there is no {subject}")

    def tool(self, subject: str) -> Any:
        """There is none. Raises CannotProbe."""
        raise CannotProbe(f"no crew was loaded: there is no {subject}")

    def llm(self, subject: str) -> Any:
        """Return the model. Raises CannotProbe where hosts alone were named."""
        if self._live is None:
            raise CannotProbe(f"no model was named: there is no {subject}")
        return self._live

    def raw_call_arguments(self, subject: str) -> dict[str, Any]:
        """`{"client": ..., "create": ...}` for its SDK; of OpenAI, its own defaults for whatever nobody said."""
        live = self.llm(subject)
        if live.kind != "openai":
            held: dict[str, Any] = _provider(live).raw_call_arguments(live)
            return held
        return {"client": {"api_key": live.api_key, "base_url": live.base_url}, "create": {"model": live.model}}

    def rebuilt(self, subject: str, _seconds: float) -> tuple[Any, dict[str, float]]:
        """Nobody wrote a timeout that could be proved. Raises CannotProbe."""
        raise CannotProbe(f"no crew was loaded: nobody has set a timeout of {subject}")

    def use_embedded(self, _base_url: str) -> list[str]:
        """Nothing to replace."""
        return []
