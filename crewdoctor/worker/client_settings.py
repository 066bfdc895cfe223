"""Settings of a live SDK client, whichever SDK it is of: what its timeout means, its pool, its key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from crewdoctor.model.setting import DROPPED, UNKNOWN, UNLIMITED, Provenance, Seconds, Setting, SettingValue, Timeout
from crewdoctor.wire.redact import learn, redact
from crewdoctor.worker.dropped import plain
from crewdoctor.worker.hosts import is_near
from crewdoctor.worker.loader import STAND_IN_KEY
from crewdoctor.worker.provenance import Sources, default_of, was_set

PHASES = ("connect", "read", "write", "pool")
STAND_IN = "crewdoctor-stand-in"
"""The key of a client made only to be read."""
_RAISES_CONNECT = "also raises connect: a dead host takes as long"
_POOL = {
    "pool.max_connections": "_max_connections",
    "pool.max_keepalive_connections": "_max_keepalive_connections",
    "pool.keepalive_expiry": "_keepalive_expiry",
}


def phase_of(held: Any, phase: str) -> Timeout:
    """One phase of a timeout as SDKs hold it: a number, None (no limit), or an object with a number per phase."""
    if held is None:
        return UNLIMITED
    if isinstance(held, (int, float)) and not isinstance(held, bool):
        return Seconds(float(held))
    if not hasattr(held, phase):
        return UNKNOWN
    value = getattr(held, phase)
    return UNLIMITED if value is None else Seconds(float(value))


def timeouts(subject: str, held: Any, whence: Provenance, *, stream: bool) -> list[Setting]:
    """The four timeouts of an SDK that rides on httpx; `held` as its client holds it."""
    note = "bounds each wait for bytes, not the call" if stream else "bounds each wait, per attempt"
    settings = []
    for phase in PHASES:
        value = phase_of(held, phase)
        raised = phase == "connect" and whence.origin != "default" and isinstance(value, Seconds)
        said = _RAISES_CONNECT if raised else note if phase == "read" else ""
        settings.append(Setting(subject, "llm", f"timeout.{phase}", value, whence, said))
    return settings


def pool(http: Any, subject: str, whence: Provenance) -> list[Setting]:
    """The limits of an httpx client's connection pool; none where it is no such client."""
    held = getattr(getattr(http, "_transport", None), "_pool", None)
    if held is None:
        return []
    found: list[tuple[str, SettingValue]] = [
        (name, getattr(held, attribute, None)) for name, attribute in _POOL.items()
    ]
    return [Setting(subject, "llm", name, value, whence) for name, value in found]


def written(llm: Any, name: str, sources: Sources, package: str) -> Provenance:
    """`LLM(timeout=...)`, or the same within `client_params`, else the default of the SDK's package."""
    if name in (getattr(llm, "client_params", None) or {}):
        return sources.of(llm, "client_params")
    held = getattr(llm, name, None)
    if held is not None and was_set(llm, name, sources.constructions.of(llm)):
        return sources.of(llm, name)
    return default_of(package)


def stream_setting(llm: Any, subject: str, sources: Sources) -> Setting:
    """Whether answers are streamed: then a timeout bounds each chunk."""
    return Setting(subject, "llm", "stream", bool(getattr(llm, "stream", False)), sources.of(llm, "stream"))


@dataclass(frozen=True, slots=True)
class Variables:
    """Environment variables an SDK, or crewai for it, reads."""

    urls: tuple[str, ...]
    keys: tuple[str, ...]
    package: str
    """Whose default the URL is where none of them is set."""


def where_and_who(
    llm: Any, subject: str, sources: Sources, base_url: str, key: Any, variables: Variables
) -> list[Setting]:
    """The settings `base_url` and `api_key` (presence only)."""
    built = sources.constructions.of(llm)
    names = (name for name in ("base_url", "api_base", "endpoint") if built and name in built.keywords)
    named = next((name for name in names if getattr(llm, name, None)), "")
    whence = sources.of(llm, named) if named else sources.of_variable(*variables.urls) or default_of(variables.package)
    by_code = built and "api_key" in built.keywords
    key_from = sources.of(llm, "api_key") if by_code else sources.of_variable(*variables.keys)
    key = "" if key == STAND_IN_KEY else key
    nowhere = Provenance("default", "not set")
    return [
        Setting(subject, "llm", "base_url", redact(base_url), whence),
        Setting(subject, "llm", "api_key", bool(key), (key_from if key else None) or nowhere, "presence only"),
    ]


def unread(llm: Any, subject: str, names: Iterable[str], sources: Sources, sdk: str) -> list[Setting]:
    """What somebody wrote on the model, of `names`, and crewai does not hand to the SDK's client."""
    given = dict(getattr(llm, "additional_params", None) or {})
    built = sources.constructions.of(llm)
    found = []
    for name in names:
        if name not in given and not (getattr(llm, name, None) is not None and was_set(llm, name, built)):
            continue
        value = given.get(name, getattr(llm, name, None))
        value = int(value) if isinstance(value, float) and value.is_integer() else value
        note = f"crewai does not pass it to {sdk}"
        found.append(Setting(subject, "llm", f"{DROPPED}{name}", plain(value), sources.of(llm, name), note))
    return found


def usable(key: str, host: str) -> bool:
    """Whether a key could work: near hosts take any; elsewhere neither empty nor a template a person must fill in."""
    held = key.strip()
    if not held:
        return False
    if is_near(host):
        return True
    templated = (held.startswith("<") and held.endswith(">")) or held.lower().startswith(("your", "${", "{{"))
    return not templated


def learnt(key: Any) -> str:
    """A key as text, never to be seen in any recording."""
    if not key:
        return ""
    learn(str(key))
    return str(key)
