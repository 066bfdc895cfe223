"""Two limits somebody wrote contradict each other: the inner one may last longer than the outer one.

## What it compares
Every pair of nested scopes of the timeout ledger where both limits were written: the ceiling of a model call
((retries + 1) attempts of its timeout, and the backoff) and the timeout of a tool, each with the agent's
`max_execution_time`.

## Why it matters
The outer limit is a promise to somebody. If a single call inside may outlast it, the promise breaks on the first slow
day, and since `max_execution_time` interrupts nothing, the caller waits for the inner limit anyway and gets an error
instead of the answer. The retries are what is mostly forgotten: a timeout of 30 s with two retries is 91.5 s.

## Example
`LLM(timeout=60)` inside `Agent(max_execution_time=90)`: one silent provider holds the call for 181.5 s.

## How to fix
Make the inner ones add up to less than the outer: lower the timeout or the retries, or raise the outer limit.

## References
- Google SRE Book, chapter 22, "Deadline propagation"
- openai-python `_base_client.py`: attempts and backoff
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds


@rule("CD403", since="0.1", needs=("ledger",))
def inner_scope_outlives_outer(evidence: Evidence) -> Iterator[Finding]:
    """One finding per inversion between two written limits."""
    for inversion in evidence.ledger.inversions:
        if not inversion.both_written or not isinstance(inversion.outer.value, Seconds):
            continue
        outer = inversion.outer
        tool = inversion.inner.startswith("tool:")
        third = max(1, int(outer.value.value / 3))
        code = f"timeout={max(1, int(outer.value.value / 2))}" if tool else f"LLM(..., timeout={third}, max_retries=1)"
        yield Finding(
            code="CD403",
            slug="inner_scope_outlives_outer",
            severity=Severity.WARNING,
            layer=Layer.AGENT,
            subject=outer.subject,
            message=(
                f"One call of {inversion.inner} may last {wording.limit(inversion.ceiling)} ({inversion.arithmetic}), "
                f"longer than the {outer.name}={wording.limit(outer.value).removesuffix(' s')} of {outer.subject} "
                f"({outer.provenance.where}), which does not interrupt it."
            ),
            evidence=inversion.ids,
            measured=Quantity(f"ceiling of {inversion.inner}", inversion.ceiling),
            limit=Quantity(outer.name, outer.value, where=outer.provenance.where),
            location=outer.provenance.location,
            fix=Fix("Let the inner limits add up to less than the outer", code),
            depends_on=(inversion.inner,),
            observed=False,
        )
