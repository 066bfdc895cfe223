"""Names that left crewai."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moved:
    sentence: str
    instead: str = ""


IMPORTS: dict[tuple[str, str], Moved] = {}
FIELDS: dict[tuple[str, str], Moved] = {}
