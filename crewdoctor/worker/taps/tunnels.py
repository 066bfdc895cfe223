"""urllib3's own copy of http.client's `_tunnel`, where it has one (beneath Python 3.11.16): `proxy.connect`."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import Tap, TimedSpan


def install(recorder: Recorder) -> None:
    """Tap it, now or when it is imported; where urllib3 takes http.client's, that one's tap tells."""
    tap = Tap("tunnels", recorder)

    def tunnel(connection: Any) -> TimedSpan:
        proxy, target = f"{connection.host}:{connection.port}", f"{connection._tunnel_host}:{connection._tunnel_port}"
        return TimedSpan(recorder, "proxy.connect", "recv", peer=proxy, proxy=proxy, target=target)

    def urllib3(module: ModuleType) -> None:
        if "_tunnel" in vars(module.HTTPConnection):
            tap.around(module.HTTPConnection, "_tunnel", tunnel)

    when_imported("urllib3.connection", tap.safely(urllib3))
