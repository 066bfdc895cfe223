"""What a watcher is told while steps run."""

from __future__ import annotations

from dataclasses import dataclass

from crewdoctor.model.layer import Layer


@dataclass(frozen=True, slots=True)
class Progress:
    """One line of progress; sent when a step begins, once a second until it has ended, and when it has."""

    step_id: str
    state: str
    """`starting` while its worker gets ready, `running`, or how it ended: `ok failed killed crashed skipped`."""
    announce: str
    """What the step does, in words."""
    waiting: str
    """What it is waiting for just now (`recv from api.local:443`), empty for nothing known; its reason once ended."""
    remaining: float
    """Seconds until its deadline."""
    layer: Layer
    """The layer it examines."""

    @property
    def going(self) -> bool:
        """Whether it has not ended yet."""
        return self.state in {"starting", "running"}
