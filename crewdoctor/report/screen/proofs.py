"""What experiments showed of each setting, and the calls they rest on."""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.proof import Proof, Trial, Verdict
from crewdoctor.model.report import Report
from crewdoctor.report.screen.line import Line, heading, line

_NAME, _VERDICT, _PHASE = 20, 28, 16
_STYLES = {
    Verdict.HONOURED: "green",
    Verdict.PER_READ: "green",
    Verdict.IGNORED: "red",
    Verdict.UNLIMITED: "yellow",
    Verdict.UNKNOWN: "yellow",
}
_PHASES = {
    "connect": "no connection",
    "tls": "no handshake",
    "request": "no first byte",
    "body": "half an answer",
    "trickle": "a byte a second",
}


def lines(report: Report, *, every: bool) -> Iterator[Line]:
    """A verdict per setting; with `every` each call against a failing server."""
    if report.proofs:
        yield from heading("Settings, proved by experiment")
    subject = ""
    for proof in report.proofs:
        if proof.subject != subject:
            subject = proof.subject
            yield line((subject, "bold"), indent=2)
        yield _told(proof)
    if every and report.trials:
        yield from heading("What a server that fails does to one call of a model")
        yield from _trials(report.trials)


def _told(proof: Proof) -> Line:
    return line(
        f"{proof.name:<{_NAME}}",
        (f"{proof.words:<{_VERDICT}}", _STYLES.get(proof.verdict, "")),
        (f"  {proof.said}", "dim"),
        indent=4,
        hang=_NAME + 2,
    )


def _trials(held: tuple[Trial, ...]) -> Iterator[Line]:
    subject = ""
    for trial in sorted(held, key=lambda each: each.subject):
        if trial.subject != subject:
            subject = trial.subject
            yield line((subject, "bold"), indent=2)
        yield line(
            f"{_PHASES.get(trial.phase, trial.phase):<{_PHASE}}",
            (f"{ending(trial)}, {wording.plural(trial.requests, 'attempt')}", ""),
            (f"  {trial.error}" if trial.error else "", "dim"),
            indent=4,
            hang=_PHASE,
        )


def ending(trial: Trial) -> str:
    """How it ended, in words: `gave up after 4.5 s`, `still waiting after 6.0 s`."""
    return f"{'gave up' if trial.ended else 'still waiting'} after {wording.seconds(trial.seconds)}"
