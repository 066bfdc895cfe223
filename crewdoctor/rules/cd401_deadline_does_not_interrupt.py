"""max_execution_time passed, and nothing was interrupted.

## What it compares
How long an agent's execution took in the crew with its `max_execution_time`. From a second beyond the limit it was
not interrupted. This rule speaks where one call inside (a tool, a model call, a run of retries) outlived the limit
all by itself, or where calls inside failed; where many healthy calls add up to more than the limit, the limit is too
low for the work, and CD408 says so instead: of the two only one is reported. With `--prove` the user's own agent is let
run into a server of ours that stays silent, its limit lowered to a second: what happened there is reported as well.

## Why it matters
crewAI 1.15 runs the task in a thread and waits for its result for `max_execution_time`; then it leaves a `with
ThreadPoolExecutor()` block, which joins the thread. TimeoutError is raised only after the blocked call has ended by
itself, the late result is thrown away, and nothing was saved: the limit adds a failure and bounds nothing.

## Example
`max_execution_time=2` in crew.py:14; a tool took 6.1 s; the agent returned after 6.4 s, with a TimeoutError.

## How to fix
Put the limit where the waiting is: a timeout on the tool's own call and on the LLM, so that each ends inside the
limit.

## References
- crewAI `agent/core.py`, `_execute_with_timeout`; crewAI issues 2379, 2503, 4135
- CPython `concurrent.futures.Executor.__exit__`: shutdown(wait=True)
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.calls import rounded_up
from crewdoctor.deadlines import DEADLINE_KEYS, Overrun, overruns
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.proof import Proof, Verdict
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds, Setting
from crewdoctor.proofs import PROOF_KEYS, proof_of, proved
from crewdoctor.remedies import bounded_call


@rule(
    "CD401",
    since="0.1",
    needs=("span:agent.execution|experiments", "setting:agent.max_execution_time"),
    uses=(*DEADLINE_KEYS, "span:http.request", *PROOF_KEYS),
)
def deadline_does_not_interrupt(evidence: Evidence) -> Iterator[Finding]:
    """One finding per agent, about its longest execution that outlived the limit, or about an experiment."""
    told = {each.span.subject: each for each in overruns(evidence)}
    for overrun in told.values():
        if not overrun.interrupted and not overrun.adds_up:
            yield _finding(evidence, overrun)
    for setting in evidence.settings("agent", "max_execution_time"):
        proof = proof_of(evidence, setting)
        if proof is not None and proof.verdict is Verdict.IGNORED and setting.subject not in told:
            yield _proved(setting, proof)


def _proved(setting: Setting, proof: Proof) -> Finding:
    limit = setting.value.value if isinstance(setting.value, Seconds) else 1.0
    return Finding(
        code="CD401",
        slug="deadline_does_not_interrupt",
        severity=Severity.ERROR,
        layer=Layer.AGENT,
        subject=setting.subject,
        message=(
            f"max_execution_time={limit:g} ({setting.provenance.where}) of {setting.subject} interrupts nothing."
            f"{proved(proof)}"
        ),
        evidence=(setting.id, *proof.evidence),
        location=setting.provenance.location,
        fix=Fix(
            "Limit the calls themselves: max_execution_time ends none of them",
            f"LLM(..., timeout={max(1, int(limit / 2))}, max_retries=0)",
        ),
        observed=False,
    )


def _finding(evidence: Evidence, overrun: Overrun) -> Finding:
    span, setting, inner = overrun.span, overrun.setting, overrun.longest
    value = wording.exact(overrun.limit).removesuffix(" s")
    held = ""
    if inner is not None:
        name = f"tool `{inner.attrs.get('tool')}`" if inner.name == "tool.call" else f"a call of {inner.subject}"
        took = wording.seconds(inner.seconds(evidence.end_of(inner)))
        held = f": {name} {'had been going for' if inner.open else 'took'} {took} and was not interrupted"
    late = "its late result was thrown away" if span.failure is not None else "it came back late"
    state = "was still going" if span.open else "returned"
    return Finding(
        code="CD401",
        slug="deadline_does_not_interrupt",
        severity=Severity.ERROR,
        layer=Layer.AGENT,
        subject=span.subject,
        message=(
            f"{span.subject} {state} after {wording.seconds(overrun.seconds)} with max_execution_time={value} "
            f"({setting.provenance.where}){held}{'' if span.open else f'; {late}'}."
        ),
        evidence=(span.id, setting.id, *((inner.id,) if inner is not None else ())),
        measured=Quantity("execution", Seconds(round(overrun.seconds, 3)), n=overrun.executions),
        limit=Quantity("max_execution_time", Seconds(overrun.limit), where=setting.provenance.where),
        location=setting.provenance.location,
        fix=_fix(evidence, overrun),
        lost=overrun.seconds - overrun.limit,
    )


def _fix(evidence: Evidence, overrun: Overrun) -> Fix:
    """Bound the call that outlived the limit, in its own client's words; a healthy one may be allowed for instead."""
    inner, half = overrun.longest, max(1, int(overrun.limit / 2))
    bound = f"LLM(..., timeout={half}, max_retries=0)"
    if inner is not None and inner.name == "tool.call":
        asked = evidence.children(inner, "http.request")
        client = str(asked[0].attrs.get("client", "")) if asked else ""
        bound = f"{bounded_call(client, read=half).code}  # in the tool"
    if inner is None or inner.open or inner.failure is not None:
        return Fix("Limit the calls themselves: max_execution_time ends none of them", bound)
    allowed = f"Agent(..., max_execution_time={rounded_up(2 * overrun.seconds)})"
    return Fix(
        "Allow for what the work takes, or bound the call itself: max_execution_time does not end it",
        f"{allowed}\n# or: {bound}",
    )
