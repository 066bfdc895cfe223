"""GitHub workflows: `timeout-minutes` of the jobs and steps that start the crew.

Source: GitHub Actions documentation, "Workflow syntax": minutes, 360 for a job that says nothing. A job that does not
name the crew (tests, linters) is none of its limits.
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.setting import Seconds
from crewdoctor.scan.platforms.limit import Around, Outer, seconds
from crewdoctor.scan.platforms.yaml_nodes import at, documents, entries, items, line, scalar

PATTERNS = (".github/workflows/*.yml", ".github/workflows/*.yaml")
MINUTE = 60.0
DEFAULT = 360.0
NAME = "timeout-minutes"


def limits(around: Around) -> Iterator[Outer]:
    """Of each job that starts the crew, and of its step."""
    for document in documents(around.text())[:1]:
        for job, body in entries(at(document, "jobs")).items():
            steps = [each for each in items(at(body, "steps")) if around.starts_crew(scalar(at(each, "run")))]
            if not steps:
                continue
            held = at(body, NAME)
            line_of = line(held if held is not None else body)
            whole = Seconds(DEFAULT * MINUTE) if held is None else seconds(scalar(held), MINUTE)
            yield Outer("workflow", NAME, whole, around.at(line_of), written=held is not None, whom=job, sure=True)
            for step in steps:
                own = at(step, NAME)
                if own is not None:
                    given, whom = seconds(scalar(own), MINUTE), f"{job}, its step"
                    yield Outer("workflow", NAME, given, around.at(line(own)), whom=whom, sure=True)
