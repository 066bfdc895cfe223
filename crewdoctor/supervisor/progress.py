"""What a watcher is told while steps run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One line of progress; sent when a step begins, once a second while it runs, and when it has ended."""

    step_id: str
    state: str
    """`running`, or how it ended: `ok failed killed crashed skipped`."""
    announce: str
    """What the step does, in words."""
    waiting: str
    """What it is waiting for just now (`recv from api.local:443`), empty for nothing known; its reason once ended."""
    remaining: float
    """Seconds until its deadline."""
