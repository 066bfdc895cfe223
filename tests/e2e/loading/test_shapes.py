import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.crewai

CREW = """
from crewai import LLM, Agent, Crew, Task
llm = LLM(model="openai/gpt-4o", base_url="http://127.0.0.1:9/v1", api_key="k-of-mine")
worker = Agent(role="Worker", goal="g", backstory="b", llm=llm)
job = Task(description="d on {topic}", expected_output="e", agent=worker)
"""
MADE = "Crew(agents=[worker], tasks=[job], name='mine')"
FACTORY = CREW.replace("\n", "\n    ")
MAIN = "if __name__ == '__main__':"

CREWBASE = {
    "pyproject.toml": "[project]\nname = 'house'\n",
    "src/house/__init__.py": "",
    "src/house/tools/__init__.py": "",
    "src/house/tools/search.py": '''
        from crewai.tools import tool

        @tool("search")
        def search(q: str) -> str:
            """Search."""
            return q
        ''',
    "src/house/config/agents.yaml": """
        other:
          role: Other
          goal: g
          backstory: b
          max_execution_time: 11
        worker:
          role: >
            {topic} expert
          goal: g
          backstory: b
          max_execution_time: 45
          max_iter: 7
        """,
    "src/house/config/tasks.yaml": "job:\n  description: d\n  expected_output: e\n  agent: worker\n",
    "src/house/crew.py": """
        from crewai import Agent, Crew, Task
        from crewai.project import CrewBase, agent, crew, task
        from .tools.search import search

        @CrewBase
        class House:
            agents_config = "config/agents.yaml"
            tasks_config = "config/tasks.yaml"

            @agent
            def worker(self) -> Agent:
                return Agent(config=self.agents_config["worker"], tools=[search])

            @task
            def job(self) -> Task:
                return Task(config=self.tasks_config["job"])

            @crew
            def crew(self) -> Crew:
                return Crew(agents=self.agents, tasks=self.tasks)
        """,
    "src/house/main.py": """
        from datetime import datetime
        from house.crew import House

        def run():
            inputs = {"topic": "AI", "year": str(datetime.now().year)}
            House().crew().kickoff(inputs=inputs)
        """,
}

SHAPES = {
    "object": ({"crew.py": f"{CREW}\ncrew = {MADE}\nsame = crew"}, "crew.py", "module"),
    "chosen": ({"crew.py": f"{CREW}\none = {MADE}\ntwo = {MADE}"}, "crew.py:two", "module"),
    "factory": (
        {"crew.py": f"def anything() -> 'Crew':{FACTORY}\n    return {MADE}\n\ndef other(): ..."},
        "crew.py",
        "factory",
    ),
    "unannotated": (
        {"crew.py": f"def build_crew():{FACTORY}\n    return {MADE}\n\ndef run_crew(): 1/0"},
        "crew.py",
        "factory",
    ),
    "at import": (
        {"crew.py": f"{CREW}\ntry:\n    {MADE}.kickoff(inputs={{'topic': 'a'}})\nexcept Exception:\n    pass\n1 / 0"},
        "crew.py",
        "kickoff captured",
    ),
    "main": (
        {"crew.py": f"def main():{FACTORY}\n    {MADE}.kickoff({{'topic': 'm'}})\n{MAIN}\n    main()"},
        "crew.py",
        "kickoff captured",
    ),
    "async main": (
        {
            "crew.py": f"import asyncio\nasync def main():{FACTORY}\n"
            f"    await {MADE}.kickoff_for_each_async([{{'topic': 'f'}}])\n{MAIN}\n    asyncio.run(main())"
        },
        "crew.py",
        "kickoff captured",
    ),
    "swallowed": (
        {"crew.py": f"{CREW}\ntry:\n    {MADE}.kickoff(inputs={{'topic': 's'}})\nexcept BaseException:\n    print(1)"},
        "crew.py",
        "kickoff captured",
    ),
    "thread": (
        {
            "crew.py": f"{CREW}\nfrom concurrent.futures import ThreadPoolExecutor\n{MAIN}\n"
            f"    with ThreadPoolExecutor() as pool:\n        pool.submit({MADE}.kickoff, {{'topic': 't'}}).result()"
        },
        "crew.py",
        "kickoff captured",
    ),
    "crewbase": (CREWBASE, "src/house/crew.py", "crewbase"),
    "crewbase by name": (CREWBASE, "src/house/crew.py:House", "crewbase"),
    "environment": (
        {
            ".env": "# mine\nSVC_KEY=from-the-file\n",
            "crew.py": f"import os\nassert os.environ['SVC_KEY'] == 'from-the-file'\n{CREW}\n"
            f"import helper\nassert os.getcwd() == os.path.dirname(__file__)\ncrew = {MADE}",
            "helper.py": "",
        },
        "crew.py",
        "module",
    ),
    "stdlib name": ({"random.py": f"{CREW}\ncrew = {MADE}"}, "random.py", "module"),
    "src folder": (
        {"pyproject.toml": "", "src/own/__init__.py": "X = 1", "crew.py": f"import own\n{CREW}\ncrew = {MADE}"},
        "crew.py",
        "module",
    ),
}


@pytest.fixture(scope="module")
def loaded(projects):
    for name, (files, target, _) in SHAPES.items():
        projects.add(name, files, target, environment={"SVC_KEY": "from-outside"})
    return projects.load()


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_of_a_crew_is_found_without_running_it(loaded, name):
    answer = loaded[name]
    assert "refused" not in answer, answer["refused"]
    inventory = answer["inventory"]
    assert inventory["shape"] == SHAPES[name][2]
    assert len(inventory["agents"]) == 1
    assert len(inventory["tasks"]) == 1


@pytest.mark.parametrize(("name", "topic"), [("at import", "a"), ("main", "m"), ("async main", "f"), ("thread", "t")])
def test_a_kickoff_gives_away_its_inputs(loaded, name, topic):
    assert loaded[name]["inputs"] == {"topic": topic}
    assert loaded[name]["inventory"]["inputs_given"] == ["topic"]
    assert loaded[name]["inventory"]["inputs_from"] == {"topic": "the crew's own kickoff"}


def test_inputs_nobody_gives_are_listed(loaded):
    assert loaded["object"]["inventory"]["inputs_required"] == ["topic"]
    assert loaded["object"]["inventory"]["inputs_given"] == []


def test_literal_inputs_of_main_are_read(loaded):
    assert loaded["crewbase"]["inputs"] == {"topic": "AI"}
    assert loaded["crewbase"]["inventory"]["inputs_from"] == {"topic": "a kickoff in the source"}
    assert loaded["crewbase"]["inventory"]["agents"][0]["subject"] == "agent:AI expert"


def test_loading_leaves_crewai_as_it_was(loaded):
    for answer in loaded.values():
        assert answer["kickoff"] == "crewai.crew.Crew.kickoff"
        assert answer["init"] == "BaseModel.__init__"
        assert len(answer["threads"]) == 1, answer["threads"]


def test_a_yaml_setting_is_traced_to_its_line(loaded):
    settings = {each["name"]: each for each in loaded["crewbase"]["inventory"]["settings"] if each["scope"] == "agent"}
    text = (
        Path(loaded["crewbase"]["inventory"]["project_root"], "src/house/config/agents.yaml").read_text().splitlines()
    )
    provenance = settings["max_execution_time"]["provenance"]
    assert settings["max_execution_time"]["value"] == {"timeout": 45.0}
    assert provenance["origin"] == "yaml"
    assert text[provenance["location"]["line"] - 1].strip() == "max_execution_time: 45"
    assert provenance["where"].startswith("src/house/config/agents.yaml:")
    assert settings["max_retry_limit"]["provenance"]["origin"] == "default"


def test_no_secret_of_a_crew_reaches_its_inventory(loaded):
    assert "k-of-mine" not in json.dumps(loaded["object"]["inventory"])
