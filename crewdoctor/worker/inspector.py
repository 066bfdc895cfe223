"""Load the target and list what it consists of: nothing of it runs, nothing is sent.

`args`: `target` (`file[:name]`), `project_root`, `inputs`. Facts noted: `load_failure` when it does not load.
"""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from crewdoctor.model.inventory import Endpoint, Inventory, KickoffEntry, LlmEntry, Unexamined
from crewdoctor.model.layer import Layer
from crewdoctor.model.setting import Location, Provenance, Setting
from crewdoctor.scan.kickoffs import kickoffs_in
from crewdoctor.wire.codec import encode
from crewdoctor.worker import providers
from crewdoctor.worker.construction import watched
from crewdoctor.worker.crew_facts import (
    agent_entries,
    agent_settings,
    crew_settings,
    dropped_settings,
    task_entries,
    task_settings,
)
from crewdoctor.worker.hosts import endpoint, merged, sdk_library
from crewdoctor.worker.inputs import required_inputs, suggested_inputs
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.load_reasons import deadline_passed
from crewdoctor.worker.loaded import LoadedCrew
from crewdoctor.worker.loader import Target, load
from crewdoctor.worker.lock_store import lock_endpoint
from crewdoctor.worker.machine import counts_tokens, environment_facts, proxies, rate_limit_attempts, versions
from crewdoctor.worker.parts import Parts, parts_of
from crewdoctor.worker.peers import noted_peers
from crewdoctor.worker.platform_limits import platform_settings
from crewdoctor.worker.provenance import Sources
from crewdoctor.worker.providers.bedrock import keep_from_metadata
from crewdoctor.worker.secrets_held import learn_objects
from crewdoctor.worker.source_place import running
from crewdoctor.worker.tool_facts import tool_facts

_BEFORE_DEADLINE = 1.0
"""Seconds: the last moment to say what loading waits for."""


def inspect(args: dict[str, Any], recorder: Any) -> tuple[Inventory, LoadedCrew]:
    """The inventory of the target, and its live objects. Raises TargetDoesNotLoad, having noted `load_failure`."""
    target_name, root = str(args["target"]), str(args.get("project_root") or "")
    given = dict(args.get("inputs") or {})
    if args.get("offline"):
        keep_from_metadata()
    try:
        with _last_words(recorder), recorder.span("python.import", layer=Layer.ENVIRONMENT) as span:
            target = load(target_name, root, inputs=given, stand_ins=args.get("llm", "auto") != "own")
            span.note(module=target.place.module, shape=target.found.shape)
    except TargetDoesNotLoad as failure:
        recorder.fact("load_failure", failure.as_fact())
        raise
    return inventory_of(target, given, target_name)


def inventory_of(target: Target, given: dict[str, Any], target_name: str) -> tuple[Inventory, LoadedCrew]:
    """The inventory of a crew that is there, and its live objects."""
    inputs = {**target.found.inputs, **given}
    required = required_inputs(target.crew)
    origins = {name: f"invented for {whom}" for name, whom in target.found.made_up.items()}
    origins |= dict.fromkeys(target.found.inputs, "the crew's own kickoff")
    if any(name not in inputs for name in required):
        read = suggested_inputs(target.place)
        origins |= dict.fromkeys(read.keys() - inputs.keys(), "a kickoff in the source")
        inputs = {**read, **inputs}
    with watched(target.constructions):  # models named by text are made here
        parts = parts_of(target.crew, inputs)
    learn_objects([*parts.tools.values(), *(slot.live for slot in parts.slots.values())])
    origins = {name: origins[name] for name in sorted(origins.keys() - given.keys())}
    inventory = replace(
        _inventory(target, parts, inputs), target=target_name, inputs_required=required, inputs_from=origins
    )
    return inventory, LoadedCrew(parts, inputs, target.constructions)


def _inventory(target: Target, parts: Parts, inputs: dict[str, Any]) -> Inventory:
    written = target.place.file.suffix.lower() in (".json", ".jsonc", ".yaml", ".yml")
    definition = str(target.place.file) if written else ""
    sources = Sources(target.constructions, target.dotenv, target.place.root, definition)
    unexamined = [Unexamined(subject, f"its model cannot be made: {why}") for subject, why in parts.broken.items()]
    unexamined += [Unexamined("crew", note) for note in target.found.notes]
    llms, settings, hosts, models = _models(parts, sources, unexamined)
    tools = [tool_facts(subject, tool, parts, _search(target)) for subject, tool in parts.tools.items()]
    locks = lock_endpoint()
    if locks is not None:
        hosts.append(locks)
    for each in _beside(parts):
        if isinstance(each, Endpoint):
            hosts.append(each)
        else:
            unexamined.append(each)
    name = str(getattr(target.crew, "name", None) or "crew")  # as its events call it
    settings += [setting for tool in tools for setting in tool.settings]
    settings += agent_settings(parts, sources) + task_settings(parts, sources)
    settings += crew_settings(target.crew, f"crew:{name}", sources)
    settings += dropped_settings(parts, f"crew:{name}", sources)
    settings += platform_settings(target.place.root, target.place.file)
    process = getattr(target.crew, "process", "sequential")
    return Inventory(
        target="",
        crew=name,
        project_root=str(target.place.root),
        shape=target.found.shape,
        process=str(getattr(process, "value", process)),
        versions=versions(),
        python=platform.python_version(),
        agents=tuple(agent_entries(parts, inputs, models, sources)),
        tasks=tuple(task_entries(parts, inputs)),
        tools=tuple(tool.entry for tool in tools),
        llms=tuple(llms),
        endpoints=merged([*hosts, *(each for tool in tools for each in tool.endpoints), *proxies()]),
        settings=tuple(settings),
        scan=tuple(entry for tool in tools for entry in tool.scan),
        inputs_given=tuple(inputs),
        unexamined=tuple(unexamined),
        kickoffs=_kickoffs(str(target.place.file)),
        environment={
            **environment_facts(),
            "stand_in_keys": list(target.stand_ins),
            "rate_limit_attempts": rate_limit_attempts(),
            "token_count_preflight": counts_tokens(),
        },
    )


def _models(
    parts: Parts, sources: Sources, unexamined: list[Unexamined]
) -> tuple[list[LlmEntry], list[Setting], list[Endpoint], dict[str, str]]:
    """One entry per configuration, held by its first user; model subject to entry subject for all of them."""
    entries: dict[str, LlmEntry] = {}
    settings: list[Setting] = []
    known: dict[str, str] = {}
    models: dict[str, str] = {}
    for subject, slot in parts.slots.items():
        entry, held = providers.describe(slot.live, subject, sources)
        likeness = repr((replace(entry, subject="", users=()), [(each.name, each.value) for each in held]))
        # Two keys are two models: one may be refused. It is compared here and goes nowhere.
        likeness += str(getattr(slot.live, "api_key", None) or "")
        if not entry.known:
            likeness = f"foreign {id(slot.live)}"
        if likeness in known:
            first = entries[known[likeness]]
            entries[first.subject] = replace(first, users=(*first.users, subject))
        else:
            known[likeness] = subject
            entries[subject] = entry
            settings += held
            if not entry.known:
                why = f": {entry.attrs['why']}" if entry.attrs.get("why") else ""
                text = f"a {entry.provider} ({entry.model}) is not a model crewdoctor can read{why}"
                unexamined.append(Unexamined(subject, text))
        models[subject] = known[likeness]
    llms = list(entries.values())
    written = {each.subject: each.provenance for each in settings if each.name == "base_url"}
    hosts = [
        endpoint(
            str(each.attrs["base_url"]),
            "llm",
            used_by=each.users,
            clients=(str(each.attrs.get("library") or sdk_library()),),
            source=_source(written[each.subject]),
            location=written[each.subject].location,
        )
        for each in llms
        if each.known
    ]
    return llms, settings, [each for each in hosts if each is not None], models


def _source(base_url: Provenance) -> str:
    return f"llm base_url ({base_url.where})" if base_url.origin == "environment" else "llm base_url"


def _beside(parts: Parts) -> Iterator[Endpoint | Unexamined]:
    from crewdoctor.worker.side_hosts import side_endpoints

    try:
        yield from side_endpoints(parts)
    except Exception as error:  # what crewai changed its mind about must not cost the inventory
        yield Unexamined("crew", f"memory, knowledge and MCP servers could not be read: {type(error).__name__}")


def _kickoffs(file: str) -> KickoffEntry | None:
    found = kickoffs_in(file)
    if found is None:
        return None
    location = Location(found.file, found.line, "", found.source)
    return KickoffEntry(found.style, location, found.pool, found.workers)


def _search(target: Target) -> tuple[str, ...]:
    root = target.place.root
    package_parent = target.place.file.parents[target.place.module.count(".")]
    return tuple(str(each) for each in dict.fromkeys((package_parent, target.place.file.parent, root / "src", root)))


@contextmanager
def _last_words(recorder: Any) -> Iterator[None]:
    """Shortly before our deadline, note what the import is waiting for: the supervisor will kill this process."""
    left = recorder.deadline - time.monotonic() - _BEFORE_DEADLINE
    if not 0 < left < threading.TIMEOUT_MAX:
        yield
        return
    loading, spoken = threading.get_ident(), threading.Event()
    with noted_peers() as peers:

        def speak() -> None:
            spoken.set()
            failure = deadline_passed(peers, running(loading), left)
            recorder.fact("load_failure", encode(failure.as_fact()))

        timer = threading.Timer(left, speak)
        timer.daemon = True
        timer.start()
        try:
            yield
            if spoken.is_set():
                recorder.fact("load_failure", None)  # it came through in the last second
        finally:
            timer.cancel()
            timer.join()
