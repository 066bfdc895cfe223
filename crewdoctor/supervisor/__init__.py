"""The parent side of isolation: start workers, hand out steps, hold deadlines, end what must end, record everything."""

from crewdoctor.supervisor.live import LiveStep
from crewdoctor.supervisor.progress import Progress
from crewdoctor.supervisor.supervisor import CannotStart, Supervisor

__all__ = ["CannotStart", "LiveStep", "Progress", "Supervisor"]
