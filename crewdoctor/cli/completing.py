"""What the shell offers for a value half typed. Asked for at every TAB: nothing heavy is loaded."""

from __future__ import annotations

from collections.abc import Callable


def one_of(*choices: str) -> Callable[[str], list[str]]:
    """Complete a flag that takes one of a few words."""

    def complete(incomplete: str) -> list[str]:
        return [each for each in choices if each.startswith(incomplete)]

    return complete


def rule(incomplete: str) -> list[tuple[str, str]]:
    """Complete the code of a rule; the shell shows its name beside it where it can."""
    from crewdoctor import rulebook

    parts = (name.partition("_") for name in rulebook.names())
    known = [(code if incomplete.islower() else code.upper(), slug) for code, _, slug in parts]
    return [each for each in known if each[0].startswith(incomplete)]
