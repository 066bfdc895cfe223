"""The timeout ledger: nested scopes, effective ceilings, worst cases. Pure arithmetic, each formula with its source."""

from crewdoctor.budget.arithmetic import FOREVER, backoff, call_ceiling, cost, outlives, task_ceiling, timeout_of
from crewdoctor.budget.ledger import Ending, Inversion, Ledger, LlmTerms, Nested
from crewdoctor.budget.limits import (
    NETWORK_CLIENTS,
    OWN_WAITS,
    WAITERS,
    InForce,
    own_limit,
    scan_id,
    scan_of,
    tool_limit,
    wire_timeout,
)
from crewdoctor.budget.outer import FLAG, ending, told
from crewdoctor.budget.scopes import ledger_of

__all__ = [
    "FLAG",
    "FOREVER",
    "NETWORK_CLIENTS",
    "OWN_WAITS",
    "WAITERS",
    "Ending",
    "InForce",
    "Inversion",
    "Ledger",
    "LlmTerms",
    "Nested",
    "backoff",
    "call_ceiling",
    "cost",
    "ending",
    "ledger_of",
    "outlives",
    "own_limit",
    "scan_id",
    "scan_of",
    "task_ceiling",
    "timeout_of",
    "told",
    "tool_limit",
    "wire_timeout",
]
