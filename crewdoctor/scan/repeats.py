"""How often a call that can wait is begun again: by its client's own retries, or by a decorator around it.

Sources: urllib3 2.8 `util/retry.py` (three retries by default, of reads for idempotent methods alone; an adapter of
requests told a bare number repeats connects alone); openai 2.54 and anthropic 0.73 (`max_retries`, 2 by default);
botocore 1.43 (`retries` of `Config`; five attempts by default, mode legacy); tenacity 9.1 (`stop`, `wait`).
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crewdoctor.model.backoff import BOTOCORE, BOTOCORE_LEGACY, NO_BACKOFF, SDK, Backoff, urllib3_backoff
from crewdoctor.scan.module import Function, Module, calls_in, dotted
from crewdoctor.scan.values import UNRESOLVED, Scope, value_of

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
_TENACITY = frozenset({"tenacity.retry", "tenacity.Retrying", "tenacity.AsyncRetrying"})
_URLLIB3_RETRIES = 3
_SDK_RETRIES = 2
_BOTOCORE_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often a wait may be begun, and the seconds slept between, at most."""

    attempts: float = 1
    """`math.inf`: until it succeeds."""
    slept: float = 0.0

    def around(self, inner: Repeats) -> Repeats:
        """Each of these attempts makes all of `inner`."""
        slept = self.slept + (self.attempts * inner.slept if inner.slept else 0.0)
        return Repeats(self.attempts * inner.attempts, slept)


ONCE = Repeats()


def of_client(client: str, call: ast.Call, made: ast.Call | None, scope: Scope) -> Repeats:
    """The retries of one call's client. `made`: the constructor's call, where it was found."""
    if client == "urllib3":
        return _urllib3(call, made, scope)
    if client in ("openai", "anthropic"):
        retries = _keyword("max_retries", made, scope, _SDK_RETRIES)
        return _times(retries + 1, SDK) if isinstance(retries, int) else ONCE
    if client == "boto3":
        return _botocore(made, scope)
    if client == "requests" and isinstance(call.func, ast.Attribute):
        return _mounted(dotted(call.func.value), call.func.attr.upper(), scope)
    return ONCE


def of_decorators(module: Module, function: Function) -> Repeats:
    """What decorators of tenacity make of one call of the function."""
    scope = Scope(module, None)
    held = ONCE
    for each in function.decorator_list:
        name = dotted(each.func if isinstance(each, ast.Call) else each)
        head, dot, rest = name.partition(".")
        if f"{module.imports.get(head, head)}{dot}{rest}" in _TENACITY:
            held = held.around(_tenacity(each.keywords if isinstance(each, ast.Call) else [], scope))
    return held


def _times(attempts: float, policy: Backoff) -> Repeats:
    return Repeats(attempts, policy.sleeps(int(attempts) - 1)) if attempts >= 1 else ONCE


def _keyword(name: str, call: ast.Call | None, scope: Scope, default: Any) -> Any:
    for keyword in call.keywords if call is not None else ():
        if keyword.arg == name:
            return value_of(keyword.value, scope)
    return default


def _node(name: str, call: ast.Call | None) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == name), None) if call is not None else None


def _urllib3(call: ast.Call, made: ast.Call | None, scope: Scope) -> Repeats:
    method = value_of(call.args[0], scope) if call.args else _keyword("method", call, scope, UNRESOLVED)
    node = _node("retries", call)
    node = node if node is not None else _node("retries", made)
    if not isinstance(method, str) or method.upper() not in _IDEMPOTENT:
        return ONCE
    return _times(_URLLIB3_RETRIES + 1, NO_BACKOFF) if node is None else _retry(node, scope)


def _retry(node: ast.expr, scope: Scope) -> Repeats:
    """`Retry(total=3, read=2, backoff_factor=1)`, or a number; what cannot be followed counts as one attempt."""
    bound = scope.expression(dotted(node)) if dotted(node) else None
    node = bound if bound is not None else node
    if not isinstance(node, ast.Call):
        held = value_of(node, scope)
        counted = isinstance(held, int) and not isinstance(held, bool)
        return _times(held + 1, NO_BACKOFF) if counted else ONCE
    if dotted(node.func).rpartition(".")[2] != "Retry":
        return ONCE
    total = value_of(node.args[0], scope) if node.args else _keyword("total", node, scope, 10)
    read = _keyword("read", node, scope, None)
    known = [each for each in (total, read) if isinstance(each, int) and not isinstance(each, bool)]
    factor, longest = _keyword("backoff_factor", node, scope, 0), _keyword("backoff_max", node, scope, 120)
    if not known or read is False or not all(isinstance(each, (int, float)) for each in (factor, longest)):
        return ONCE
    return _times(min(known) + 1, urllib3_backoff(float(factor), float(longest)))


def _mounted(session: str, method: str, scope: Scope) -> Repeats:
    """`session.mount("https://", HTTPAdapter(max_retries=Retry(...)))` in the function, or elsewhere in its file."""
    if not session or method not in _IDEMPOTENT or scope.function is None:
        return ONCE
    around = [scope.function, *scope.module.all_functions]
    for call in (each for function in around for each in calls_in(function)):
        if dotted(call.func) == f"{session}.mount" and len(call.args) > 1:
            bound = scope.expression(dotted(call.args[1])) if dotted(call.args[1]) else call.args[1]
            policy = _node("max_retries", bound) if isinstance(bound, ast.Call) else None
            held = scope.expression(dotted(policy)) if policy is not None and dotted(policy) else policy
            return _retry(held, scope) if isinstance(held, ast.Call) else ONCE
    return ONCE


def _botocore(made: ast.Call | None, scope: Scope) -> Repeats:
    node = _node("config", made)
    bound = scope.expression(dotted(node)) if node is not None and dotted(node) else node
    given = _node("retries", bound) if isinstance(bound, ast.Call) else None
    held = dict(_pairs(given, scope)) if isinstance(given, ast.Dict) else {}
    if (node is not None and not isinstance(bound, ast.Call)) or (given is not None and not held):
        return ONCE
    mode = held.get("mode", "legacy")
    attempts = held.get("total_max_attempts", held.get("max_attempts", _BOTOCORE_ATTEMPTS - 1) + 1)
    if mode != "legacy" and "max_attempts" not in held and "total_max_attempts" not in held:
        attempts = 3
    return _times(attempts, BOTOCORE_LEGACY if mode == "legacy" else BOTOCORE) if isinstance(attempts, int) else ONCE


def _pairs(node: ast.Dict, scope: Scope) -> Iterator[tuple[Any, Any]]:
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant):
            yield key.value, value_of(value, scope)


def _tenacity(keywords: list[ast.keyword], scope: Scope) -> Repeats:
    given = {each.arg: each.value for each in keywords}
    policy = _wait(given.get("wait"), scope)
    attempts = _stop(given["stop"], scope) if "stop" in given else math.inf
    if attempts is None or policy is None:
        return ONCE
    return Repeats(math.inf) if attempts == math.inf else _times(attempts, policy)


def _stop(node: ast.expr, scope: Scope) -> float | None:
    """Attempts of `stop_after_attempt(5)`, of several joined by `|` the fewest; None for what counts otherwise."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [each for each in (_stop(node.left, scope), _stop(node.right, scope)) if each is not None]
        return min(sides, default=None)
    kind = dotted(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]
    if kind == "stop_never":
        return math.inf
    if kind == "stop_after_attempt" and isinstance(node, ast.Call):
        held = value_of(node.args[0], scope) if node.args else _keyword("max_attempt_number", node, scope, None)
        return held if isinstance(held, int) else None
    return None


def _wait(node: ast.expr | None, scope: Scope) -> Backoff | None:
    if node is None:
        return NO_BACKOFF
    if not isinstance(node, ast.Call):
        return None
    kind = dotted(node.func).rpartition(".")[2]
    names = {"wait_fixed": ("wait",), "wait_exponential": ("multiplier", "max", "exp_base", "min")}.get(kind)
    held = {name: value_of(each, scope) for name, each in zip(names or (), node.args, strict=False)}
    held |= {str(each.arg): value_of(each.value, scope) for each in node.keywords}
    if names is None or not all(isinstance(each, (int, float)) for each in held.values()):
        return None
    if kind == "wait_fixed":
        return Backoff(float(held.get("wait", 0)), 1.0)
    longest = float(held.get("max", math.inf))
    return Backoff(
        float(held.get("multiplier", 1)), float(held.get("exp_base", 2)), longest, shortest=float(held.get("min", 0))
    )
