"""The limits around a crew: the one the user named, else those found in the project."""

from __future__ import annotations

from crewdoctor import wording
from crewdoctor.model.recording import Recording
from crewdoctor.model.setting import OUTER, Provenance, Seconds, Setting

FLAG = "outer"
"""Subject of the limit that was named on the command line."""


def outer_limits(recording: Recording) -> tuple[Setting, ...]:
    """Those in force, the shortest first. What the user names outranks what files say.

    Where a platform's files state several (a limit per function, job or task), nobody knows which of them runs this
    crew: the longest speaks for the platform, so that nothing is accused for another one's limit. A step's limit is
    within its job's.
    """
    named = recording.header.options.outer
    if named is not None:
        return (Setting(FLAG, OUTER, "timeout", Seconds(named), Provenance("environment", "--outer")),)
    longest: dict[str, Setting] = {}
    for setting in recording.inventory.settings if recording.inventory else ():
        if setting.scope == OUTER and isinstance(setting.value, Seconds):
            platform = setting.subject.partition("/")[0]
            known = longest.get(platform)
            if known is None or _value(known) < setting.value.value:
                longest[platform] = setting
    return tuple(sorted(longest.values(), key=_value))


def ending(outers: tuple[Setting, ...]) -> Setting | None:
    """The first that ends the crew: some only stop waiting for it."""
    return next((each for each in outers if not each.name.endswith(".answer")), None)


def told(setting: Setting) -> str:
    """`--outer`; `gunicorn (gunicorn.conf.py:3)`."""
    if setting.subject == FLAG:
        return setting.provenance.where
    return f"{setting.subject.partition(':')[2]} ({setting.provenance.where})"


def arithmetic(setting: Setting) -> str:
    """What the ledger says of it."""
    name = "--outer" if setting.subject == FLAG else f"{setting.note or setting.name} ({setting.provenance.where})"
    return f"{name} = {wording.limit(setting.value)}" if setting.subject != FLAG else name


def _value(setting: Setting) -> float:
    return setting.value.value if isinstance(setting.value, Seconds) else float("inf")
