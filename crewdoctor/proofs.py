"""Trials to verdicts: which of the settings somebody wrote, or nobody did, hold on the user's own versions. Pure.

A timeout that was written stood at a second while our server failed. Whoever gave up about then honoured it; whoever
was still waiting long after ignored it. What nobody wrote was left as it is, and is judged by what stands at the wire.
"""

from __future__ import annotations

from crewdoctor import wording
from crewdoctor.llm.experiments import AGENT, BY_NAME, RETRY_AFTER
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.proof import Proof, Trial, Verdict
from crewdoctor.model.setting import DROPPED, UNLIMITED, Seconds, Setting, SettingValue, Timeout
from crewdoctor.model.span import FailureKind, Span
from crewdoctor.trials import trials

LATE = 2.0
"""Times the limit (and a half second for a loaded machine) beyond which a wait was not ended by it. Ours."""
_LOADED = 0.5
PROBE, OF_AGENTS = "llm.proof", "agent.proof"
PROOF_KEYS = (f"result:{PROBE}", f"result:{OF_AGENTS}", "experiments", "inventory")
"""What `proofs` touches."""
_TIMEOUTS = ("timeout.connect", "timeout.read")
_PROVED = (*_TIMEOUTS, "max_retries", f"{DROPPED}timeout", f"{DROPPED}max_retries")


def proofs(evidence: Evidence) -> tuple[Proof, ...]:
    """One per setting of a model that experiments were made on, in the inventory's order."""
    results, of_agents = evidence.results(PROBE), evidence.results(OF_AGENTS)
    runs, inventory = evidence.experiments(AGENT), evidence.inventory
    if not results:
        return ()
    seen: dict[str, dict[str, Trial]] = {}
    for each in trials(evidence):
        seen.setdefault(each.subject, {})[each.phase] = each
    refused: dict[str, str] = {}
    for result in results:
        refused |= {str(subject): str(why) for subject, why in (result.facts.get("refused") or {}).items()}
    why = next((result.reason for result in results if result.reason), "no experiment came to its end")
    asked = {str(subject) for result in results for subject in result.step.args.get("models", ())}
    limited = {result.step.subject: result.reason for result in of_agents}
    found = []
    for setting in inventory.settings:
        if setting.subject in asked and setting.name in _PROVED:
            found.append(_proof(setting, seen.get(setting.subject, {}), refused.get(setting.subject, why)))
        elif setting.subject in limited and setting.name == "max_execution_time":
            mine = [run for run in runs if run.subject == setting.subject]
            found.append(_deadline(setting, mine, evidence, limited[setting.subject]))
    return tuple(found)


def proof_of(evidence: Evidence, setting: Setting | None) -> Proof | None:
    """The verdict on one setting, None where no experiment was made or none could tell."""
    if setting is None:
        return None
    found = next((each for each in proofs(evidence) if each.setting == setting.id), None)
    return found if found is not None and found.verdict is not Verdict.UNKNOWN else None


def counted(evidence: Evidence, subject: str) -> list[Trial]:
    """The trials of one model in which our server answered with an error."""
    evidence.results(PROBE)
    evidence.results(OF_AGENTS)
    return [each for each in trials(evidence) if each.subject == subject and each.requests]


def proved(proof: Proof | None) -> str:
    """A sentence to put behind another; empty where nothing was proved."""
    return f" Proved: {proof.said}." if proof is not None else ""


def _proof(setting: Setting, seen: dict[str, Trial], why: str) -> Proof:
    if not seen:
        return _made(setting, Verdict.UNKNOWN, why)
    if setting.name.endswith("max_retries"):
        return _retries(setting, seen)
    if setting.name == "timeout.connect":
        return _timeout(setting, [seen[name] for name in ("connect", "tls") if name in seen], None)
    request = [seen[name] for name in ("request", "body") if name in seen]
    return _timeout(setting, request, seen.get("trickle"))


def _timeout(setting: Setting, seen: list[Trial], trickle: Trial | None) -> Proof:
    """Of the phases it should bound, the one it bounds least speaks."""
    told = [_of_phase(setting, each) for each in seen]
    told = [each for each in told if each.verdict is not Verdict.UNKNOWN] or told
    if not told:
        return _made(setting, Verdict.UNKNOWN, "no experiment came to its end")
    worst = max(told, key=lambda each: _GRAVITY[each.verdict])
    if worst.verdict is Verdict.HONOURED and trickle is not None and _late(trickle):
        said = f"{worst.said}; at one byte a second {_lasted(trickle)}"
        return _made(setting, Verdict.PER_READ, said, times=worst.times, evidence=(*worst.evidence, trickle.span))
    return worst


_GRAVITY = {
    Verdict.UNKNOWN: 0,
    Verdict.HONOURED: 1,
    Verdict.PER_READ: 2,
    Verdict.IN_FORCE: 3,
    Verdict.UNLIMITED: 4,
    Verdict.IGNORED: 5,
}


def _of_phase(setting: Setting, trial: Trial) -> Proof:
    server = f"a server that {BY_NAME[trial.phase].told}" if trial.phase in BY_NAME else "a server that fails"
    ids = (trial.span,)
    if not trial.requests:
        told = f" ({trial.error})" if trial.error else ""
        return _made(setting, Verdict.UNKNOWN, f"nothing was sent{told}", evidence=ids)
    mine = setting.written and bool(trial.written)
    if mine:
        limit = f"written as {_as_written(trial)}, lowered to {trial.limit:g} s"
        if _late(trial):
            said = f"{limit}: with {server} {_lasted(trial)}{_instead(trial.in_force)}"
            return _made(setting, Verdict.IGNORED, said, evidence=ids)
        if not trial.ended and trial.requests == 1:
            return _made(setting, Verdict.UNKNOWN, f"{limit}: it was not watched for long enough", evidence=ids)
        if trial.ended and trial.attempt < 0.8 * _stood(trial):
            return _made(setting, Verdict.UNKNOWN, f"{limit}: it failed before that ({trial.error})", evidence=ids)
        if trial.ended and not trial.error:
            return _made(setting, Verdict.UNKNOWN, f"{limit}: the call came back without an error", evidence=ids)
        first = f", {wording.seconds(trial.attempt)} the first" if trial.requests > 1 else ""
        attempts = f"{wording.plural(trial.requests, 'attempt')}{first}"
        said = f"{limit}: with {server} {_lasted(trial)}, {attempts}"
        return _made(setting, Verdict.HONOURED, said, times=trial.requests, evidence=ids)
    if trial.in_force is UNLIMITED and not trial.ended:
        said = f"with {server} it was still waiting after {wording.seconds(trial.seconds)}, with no limit at the wire"
        return _made(setting, Verdict.UNLIMITED, said, evidence=ids, value=UNLIMITED)
    if isinstance(trial.in_force, Seconds):
        said = f"{wording.limit(trial.in_force)} stands at the wire where it waits for {server}"
        return _made(setting, Verdict.IN_FORCE, said, times=trial.requests, evidence=ids, value=trial.in_force)
    return _made(setting, Verdict.UNKNOWN, f"with {server} it {_ending(trial)}", evidence=ids)


def _as_written(trial: Trial) -> str:
    return wording.joined([f"{name}={seconds:g}" for name, seconds in trial.written.items()])


def _late(trial: Trial) -> bool:
    """Whether an attempt outlived the limit that stood there."""
    waited = trial.attempt if trial.requests > 1 or trial.ended else trial.seconds
    return bool(trial.limit) and waited > LATE * trial.limit + _LOADED


def _stood(trial: Trial) -> float:
    """The limit as it stood at the wire, where that says one: a phase may have been written shorter."""
    return min(trial.limit, trial.in_force.value) if isinstance(trial.in_force, Seconds) else trial.limit


def _lasted(trial: Trial) -> str:
    return f"it {_ending(trial)}"


def _ending(trial: Trial) -> str:
    seconds = wording.seconds(trial.seconds)
    return f"gave up after {seconds}" if trial.ended else f"was still waiting after {seconds}"


def _instead(held: Timeout) -> str:
    if held is UNLIMITED:
        return "; at the wire stands no limit at all"
    return f"; at the wire stand {wording.limit(held)}" if isinstance(held, Seconds) else ""


def _retries(setting: Setting, seen: dict[str, Trial]) -> Proof:
    """Attempts counted against a server that answers 500, and beside it 429."""
    failed, limited = seen.get("500"), seen.get("429")
    if failed is None or not failed.requests:
        return _made(setting, Verdict.UNKNOWN, "no request was made to a server that answers 500")
    ids = tuple(each.span for each in (failed, limited) if each is not None)
    asked = setting.value if isinstance(setting.value, int) and not isinstance(setting.value, bool) else None
    said = f"one call made {wording.plural(failed.requests, 'request')} on 500"
    times = 1
    if limited is not None and limited.requests:
        said += f", {limited.requests} on 429"
        times = max(1, limited.requests // failed.requests) if limited.ended else 1
    dropped = setting.name.startswith(DROPPED)
    said += "" if dropped else _retry_after(seen.get("429 retry-after"))
    if not failed.ended:
        more = f"{said} within {wording.seconds(failed.seconds)} and had not given up"
        ignored = asked is not None and failed.requests > asked + 1
        return _made(setting, Verdict.IGNORED if ignored else Verdict.UNKNOWN, more, evidence=ids)
    holds = asked is not None and failed.requests == asked + 1
    if not setting.written:
        verdict = Verdict.IN_FORCE
    elif dropped and holds:
        return _made(setting, Verdict.UNKNOWN, f"{said}, which is what it asks for, by chance or not", evidence=ids)
    else:
        verdict = Verdict.HONOURED if holds else Verdict.IGNORED
    return _made(setting, verdict, said, times=times, evidence=ids, value=failed.requests - 1)


def early(trial: Trial) -> list[float]:
    """Pauses shorter than the server asked for."""
    return [each for each in trial.pauses if each < RETRY_AFTER - _LOADED]


def _retry_after(trial: Trial | None) -> str:
    """Whether the pauses before the next request kept to what the server asked for."""
    if trial is None or not trial.pauses:
        return ""
    soon = early(trial)
    kept = len(trial.pauses) - len(soon)
    if not soon:
        return f"; Retry-After: {RETRY_AFTER} was waited for"
    part = f" ({kept} of {len(trial.pauses)} pauses kept to it)" if kept else ""
    return f"; Retry-After: {RETRY_AFTER} was not waited for: asked again after {wording.seconds(min(soon))}{part}"


def _deadline(setting: Setting, runs: list[Span], evidence: Evidence, why: str) -> Proof:
    """Whether the kickoff came back at the agent's limit, or with the call it should have ended."""
    told, ids, verdicts = [], [], []
    for run in runs:
        limit = float(run.attrs.get("limit") or 0.0)
        took = run.seconds(evidence.end_of(run))
        raised = run.attrs.get("raised")
        ended = not run.open and not (run.failure is not None and run.failure.kind is FailureKind.DEADLINE)
        if ended and (run.failure is None or took < 0.8 * limit):
            continue  # it failed of something else, or did not wait
        late = took > LATE * limit + _LOADED
        way = str(run.attrs.get("way"))
        words = f"{way} {'came back' if ended else 'was still going'} after {wording.seconds(took)}"
        if isinstance(raised, (int, float)) and raised <= LATE * limit + _LOADED < took:
            words += f" (whoever awaited it was told after {wording.seconds(float(raised))}, the call went on)"
        told.append(words)
        ids.append(run.id)
        verdicts.append(late)
    if not told:
        return _made(setting, Verdict.UNKNOWN, why or "no run of the agent waited for its model", evidence=tuple(ids))
    lowered = f"lowered to {float(runs[0].attrs.get('limit') or 0.0):g} s, with a model that stays silent"
    verdict = Verdict.IGNORED if any(verdicts) else Verdict.HONOURED
    return _made(setting, verdict, f"{lowered}: {wording.joined(told)}", evidence=tuple(ids))


def _made(
    setting: Setting,
    verdict: Verdict,
    said: str,
    *,
    times: int = 1,
    evidence: tuple[str, ...] = (),
    value: SettingValue = None,
) -> Proof:
    return Proof(setting.id, setting.subject, setting.name, verdict, said, times, evidence, value)
