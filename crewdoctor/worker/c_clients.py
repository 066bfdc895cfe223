"""What connects in C, where only Python's own ways are led: refused as a whole, or at its Python face.

gRPC is loaded with crewai itself (its telemetry), whether or not anything uses it: so its calls are stopped, not it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported

_REFUSED = (
    *("psycopg2", "psycopg_c", "psycopg_binary", "MySQLdb", "oracledb", "pyodbc", "lancedb"),
    *("pycares", "pycurl", "curl_cffi", "primp", "confluent_kafka"),
)
_CALLS = ("__call__", "with_call", "future")


def loaded() -> str:
    """A module of this process whose connections cannot be stopped one by one; empty where there is none."""
    return next((name for name in _REFUSED if name in sys.modules), "")


def stop_grpc(refuse: Callable[[str], Exception]) -> None:
    """Have every call over gRPC raise what `refuse` makes of it, on channels that exist already too."""

    def stopped(*_args: Any, **_kwargs: Any) -> Any:
        raise refuse("a call over gRPC")

    def stop(module: ModuleType) -> None:
        for name, held in list(vars(module).items()):
            if isinstance(held, type) and name.endswith("MultiCallable"):
                for call in _CALLS:
                    if hasattr(held, call):
                        setattr(held, call, stopped)

    for name in ("grpc._channel", "grpc.aio._channel"):
        when_imported(name, stop)
