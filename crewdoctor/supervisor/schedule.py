"""Which steps may start now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crewdoctor.model.plan import Step

LASTING = "endpoint"
"""The probe whose steps end with the run."""
SIDE_BY_SIDE = 6
LED_SIDE_BY_SIDE = 10
"""Steps led to a server of ours that fails: all they do is wait."""


class Schedule:
    """The steps of one run: waiting, running, ended."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.waiting: list[Step] = list(steps)
        self._running: dict[str, Step] = {}
        self._mine = {step.id for step in steps}
        self._ended: set[str] = set()

    def startable(self) -> list[Step]:
        """Steps whose predecessors have ended and whose lane is free, in order, as many as may run at once.

        A predecessor that is not of this run has ended before it, or never will: it is not waited for.
        """
        lanes = {step.lane for step in self._running.values() if step.lane}
        led = sum(map(_led, self._running.values()))
        free = {True: LED_SIDE_BY_SIDE - led, False: SIDE_BY_SIDE - (len(self._running) - led)}
        chosen: list[Step] = []
        for step in self.waiting:
            if free[_led(step)] <= 0:
                continue
            open_before = any(each in self._mine and each not in self._ended for each in step.after)
            if open_before or (step.lane and step.lane in lanes):
                continue
            chosen.append(step)
            free[_led(step)] -= 1
            lanes |= {step.lane} if step.lane else set()
        return chosen

    def started(self, step: Step) -> None:
        """It runs."""
        self.waiting.remove(step)
        self._running[step.id] = step

    def ended(self, step_id: str) -> None:
        """It has ended, however; whether or not it had started."""
        self._running.pop(step_id, None)
        self.waiting = [step for step in self.waiting if step.id != step_id]
        self._ended.add(step_id)

    def stuck(self) -> Iterable[Step]:
        """Steps that wait for each other: nothing runs and nothing may start."""
        return () if self._running or self.startable() else tuple(self.waiting)

    @property
    def going(self) -> set[str]:
        """Ids of the steps that have not ended."""
        return self._mine - self._ended

    @property
    def over(self) -> bool:
        """Whether every step has ended."""
        return not self.waiting and not self._running


def _led(step: Step) -> bool:
    return bool(step.args.get("redirected"))
