"""Small projects, one per combination of shape and obstacle: `CASES`."""

from loading_cases import definitions, flows, obstacles, places, shapes, versions, web

GROUPS = {
    "Shapes": shapes.CASES,
    "Flows": flows.CASES,
    "Definitions": definitions.CASES,
    "Places": places.CASES,
    "Web apps and tasks": web.CASES,
    "Obstacles": obstacles.CASES,
    "Written for another crewai": versions.CASES,
}
CASES = {f"{group}, {case.name}": case for group, cases in GROUPS.items() for case in cases}
