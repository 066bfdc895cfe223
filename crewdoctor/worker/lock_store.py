"""crewai's hidden lock store: with REDIS_URL set and `redis` installed, every Crew takes its locks there.

Building a Crew already takes one, without a timeout of its own. While a target loads the locks are files, so that an
unreachable Redis keeps nobody from seeing the crew; it is listed as an endpoint of the crew, and probed as one.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from crewdoctor.model.inventory import Endpoint
from crewdoctor.worker.hosts import endpoint

_HOMES = ("crewai_core.lock_store", "crewai.utilities.lock_store")
_HELD = "_REDIS_URL"


def lock_endpoint() -> Endpoint | None:
    """The Redis crewai takes its locks from; None where they are files."""
    url = os.environ.get("REDIS_URL", "")
    if not url or _store() is None or not _has_redis():
        return None
    return endpoint(url, "memory", used_by=("crew",), clients=(), source="env REDIS_URL: crewai's lock store")


@contextmanager
def file_locks() -> Iterator[None]:
    """Within, crewai's locks are files."""
    store = _store()
    if store is None or not getattr(store, _HELD, None):
        yield
        return
    held = getattr(store, _HELD)
    setattr(store, _HELD, None)
    try:
        yield
    finally:
        setattr(store, _HELD, held)


def _store() -> Any:
    for name in _HOMES:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        if hasattr(module, _HELD):
            return module
    return None


def _has_redis() -> bool:
    try:
        return importlib.util.find_spec("redis") is not None
    except (ImportError, ValueError):
        return False
