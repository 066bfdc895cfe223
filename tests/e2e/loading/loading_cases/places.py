"""Where a target lies: folders, modules, no target at all."""

from loading_cases.case import CREW, MADE, Case, body

RUN = """
from house.crew import build
def run():
    build().kickoff(inputs={"topic": "AI"})
"""
HOUSE = {
    "pyproject.toml": "[project]\nname = 'house'\n[project.scripts]\nrun_crew = 'house.main:run'\n"
    "[tool.crewai]\ntype = 'crew'\n",
    "src/house/__init__.py": "",
    "src/house/crew.py": f"def build():\n    {body()}\n    return {MADE}",
    "src/house/main.py": RUN,
}
BARE = {"crew.py": f"{CREW}\ncrew = {MADE}"}

CASES = [
    Case("folder of a crewai project", HOUSE, ".", shape="kickoff captured", given={"topic": "AI"}),
    Case("no target in a crewai project", HOUSE, "", shape="kickoff captured", given={"topic": "AI"}),
    Case("package.module", HOUSE, "house.main:run", shape="kickoff captured", given={"topic": "AI"}),
    Case("package.module:function", HOUSE, "house.crew:build", shape="factory"),
    Case("folder with a crew.py", BARE, ".", shape="module"),
    Case("folder with a crew in src", {"src/a/__init__.py": "", "src/a/crew.py": BARE["crew.py"]}, ".", shape="module"),
    Case("no target beside a crew.py", BARE, "", shape="module"),
    Case(
        "no such module",
        BARE,
        "house.nowhere:run",
        kind="missing_file",
        exit=2,
        sentence="house.nowhere:run: no such file or module",
    ),
    Case("no such file", BARE, "crews.py", kind="refused", exit=2, sentence="crews.py: no such file"),
    Case("folder without a crew", {"readme.txt": ""}, ".", kind="refused", exit=2, sentence="no crew here"),
    Case("no target, no project: a minimal crew of ours", {"readme.txt": ""}, "", shape="module"),
    Case(
        "two crews in src",
        {f"src/{each}/crew.py": BARE["crew.py"] for each in "ab"},
        ".",
        kind="refused",
        exit=2,
        sentence="holds 2 crews: src/a/crew.py, src/b/crew.py",
    ),
    Case(
        "definition that is not there",
        {"pyproject.toml": "[tool.crewai]\ntype = 'crew'\ndefinition = 'a.jsonc'\n"},
        ".",
        kind="refused",
        exit=2,
        sentence="[tool.crewai] definition names 'a.jsonc', and there is no such file",
    ),
    Case(
        "script of a module that is not there",
        {"pyproject.toml": "[project.scripts]\nrun_crew = 'gone.main:run'\n[tool.crewai]\ntype = 'crew'\n"},
        ".",
        kind="refused",
        exit=2,
        sentence="the script `gone.main:run` names no module of this project",
    ),
]
