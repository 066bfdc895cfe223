"""Why a target does not load: one sentence with the reason, and the way out."""

from __future__ import annotations

from typing import Any

from crewdoctor.model.probe import CannotProbe
from crewdoctor.model.setting import Location
from crewdoctor.wire.codec import encode


class TargetDoesNotLoad(CannotProbe):
    """The target cannot be loaded. `str()` of it is the sentence and the way out.

    `kind` is one of `missing_file syntax no_crew several_crews no_such_name missing_package missing_variable
    missing_argument contacts reads_stdin other_version exits serves flow definition built_inside elsewhere
    missing_inputs socks_extra raises deadline`.
    """

    def __init__(
        self,
        kind: str,
        sentence: str,
        way_out: str,
        *,
        usage: bool = False,
        location: Location | None = None,
        variable: str = "",
        more: dict[str, str] | None = None,
        names: tuple[str, ...] = (),
    ) -> None:
        super().__init__(f"{sentence}; {way_out}" if way_out else sentence)
        self.kind, self.sentence, self.way_out = kind, sentence, way_out
        self.usage, self.location = usage, location
        self.variable, self.more = variable, more or {}
        self.names = names
        """What the user may name instead, the likeliest first."""

    def as_fact(self) -> dict[str, Any]:
        """The fact `load_failure`: kind, sentence, way_out, usage (exit code 2, not 3), location, names, and more."""
        return {
            "kind": self.kind,
            "sentence": self.sentence,
            "way_out": self.way_out,
            "usage": self.usage,
            "location": encode(self.location),
            **({"names": list(self.names)} if self.names else {}),
            **({"variable": self.variable, **self.more} if self.more else {}),
        }
