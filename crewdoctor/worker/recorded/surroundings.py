"""What decides the ways of a recorded program: its resolver, its NO_PROXY, the trust stores of its clients. Only read.

Asked are libraries the program has imported itself; nothing is sent.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

from crewdoctor.net import resolv_conf
from crewdoctor.net.clients import FILES, trust_store
from crewdoctor.worker.recorder import Recorder

_SCHEMES = ("http", "https", "all")


def tell(recorder: Recorder) -> None:
    """Facts: `resolver` (what resolv.conf says), `no_proxy`, `proxies` (variable by scheme), `stores` (per client)."""
    recorder.fact("resolver", resolv_conf.told())
    variable = next((name for name in ("no_proxy", "NO_PROXY") if os.environ.get(name)), "")
    recorder.fact("no_proxy", {"variable": variable, "value": os.environ.get(variable, "") if variable else ""})
    # Lower case wins, as in CPython's getproxies_environment.
    named = {
        scheme: next((name for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()) if os.environ.get(name)), "")
        for scheme in _SCHEMES
    }
    recorder.fact("proxies", {scheme: name for scheme, name in named.items() if name})
    recorder.fact("stores", [store for client in FILES if (store := _store(client))])


def _store(client: str) -> dict[str, Any]:
    if client not in {"urllib", *sys.modules}:
        return {}
    with suppress(Exception):  # a version whose insides differ: nothing is known of its store then
        store = trust_store(client)
        return {"client": client, "label": store.label, "path": store.path, "reads": list(store.reads)}
    return {}
