"""Input crewdoctor cannot work with: one clear sentence instead of a traceback."""

from __future__ import annotations

USAGE = 2
"""Exit code: usage, configuration or missing inputs."""
NOT_DIAGNOSED = 3
"""Exit code: the target could not be diagnosed."""


class Refusal(Exception):  # noqa: N818 - a verdict about the input, not a defect
    """What is wrong, where, and what to do about it, in one sentence; and the exit code it means."""

    def __init__(self, sentence: str, exit_code: int = USAGE) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.exit_code = exit_code
