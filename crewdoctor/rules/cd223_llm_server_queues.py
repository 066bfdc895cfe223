"""The model's server answers slower the more ask at once: it queues.

## What it compares
How long the model's own server took for an answer, connection pools left out, when one kickoff ran and when many did.
It speaks when the median among others is at least twice the longest alone and half a second above it (ours), or when
the user's timeout cut calls off that it never cut off alone; not where the provider turned calls away (CD604), where
the model was played by crewdoctor, or where this machine may have been the limit.

## Why it matters
A server of one's own (Ollama, vLLM, a gateway) serves so many requests at once and lets the rest wait in line. The
line counts against the SDK's timeout, and what is cut off is asked again, at its end.

## Example
0.8 s alone; with 8 kickoffs at once answers took up to 3.1 s: it seems to serve 2 at a time.

## How to fix
Let it serve more at once (`OLLAMA_NUM_PARALLEL`, vLLM `--max-num-seqs`, more replicas), or ask no more at once than it
serves: a semaphore around the kickoffs, `Process.sequential`.

## References
- Ollama FAQ, "How does Ollama handle concurrent requests?"; vLLM engine arguments, `--max-num-seqs`
- Little, "A proof for the queuing formula L = λW"
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from crewdoctor import wording
from crewdoctor.calls import TOO_MANY, overlap, overload
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Span
from crewdoctor.ramp import Level, parallelism, ramp, slower

GATE = "gate = asyncio.Semaphore({n})  # around each kickoff: async with gate: ..."


@rule("CD223", since="0.1", needs=("span:scale.level", "result:scale.ramp"), uses=("inventory",))
def llm_server_queues(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model, at the highest level that was measured."""
    climbed = ramp(evidence)
    if climbed is None or climbed.simulated:
        return
    for llm in evidence.inventory.llms:
        alone = _exchanges(climbed.alone, llm)
        for level in reversed(climbed.loaded):
            held = _exchanges(level, llm)
            if not held or level.by_us or _turned_away(level):
                continue
            cut = [each for each in held if _cut_off(each)]
            longer = slower([each.seconds() for each in alone], [each.seconds(evidence.end_of(each)) for each in held])
            if alone and not any(map(_cut_off, alone)) and (cut or longer):
                yield _finding(evidence, llm, alone, (level, held), cut)
            break


def _exchanges(level: Level, llm: LlmEntry) -> list[Span]:
    subjects = {llm.subject, *llm.users}
    return [each for each in level.named("net.exchange") if each.subject in subjects]


def _cut_off(span: Span) -> bool:
    return span.failure is not None and span.failure.kind.is_timeout


def _turned_away(level: Level) -> bool:
    return any(each.attrs.get("status") == TOO_MANY for each in level.named("http.request"))


def _finding(
    evidence: Evidence, llm: LlmEntry, alone: list[Span], loaded: tuple[Level, list[Span]], cut: list[Span]
) -> Finding:
    level, held = loaded
    before = median(each.seconds() for each in alone)
    took = [each.seconds(evidence.end_of(each)) for each in held]
    width, at_once = parallelism(before, held, evidence), overlap(held, evidence)
    ended = f"; {len(cut)} of {len(held)} were cut off by the timeout" if cut else ""
    return Finding(
        code="CD223",
        slug="llm_server_queues",
        severity=Severity.ERROR if cut else Severity.WARNING,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"{llm.subject} ({llm.model}) answered within {wording.seconds(before)} alone; with {level.n} kickoffs, "
            f"{at_once} requests at once, answers took {wording.seconds(median(took))} and up to "
            f"{wording.seconds(max(took))}{ended}: its server seems to serve {width} at a time.{overload(evidence)}"
        ),
        evidence=tuple(each.id for each in (*alone, *held)),
        measured=Quantity(f"answer, {level.n} kickoffs at once", Seconds(round(median(took), 3)), n=len(took)),
        limit=Quantity("answer alone", Seconds(round(before, 3)), n=len(alone)),
        fix=Fix(f"Let it serve more at once, or start at most {width} kickoffs at once", GATE.format(n=width)),
        lost=sum(max(0.0, each - before) for each in took),
        depends_on=(llm.endpoint,) if llm.endpoint else (),
        attrs={"change": f"gate:{width}"},
    )
