"""Shapes of a crew: objects, factories, classes, scripts."""

from loading_cases.case import CREW, MADE, MAIN, Case, body

TOPIC = CREW.replace('description="d"', 'description="d on {topic}"')
TRIP = f"""
from crewai import Agent, Crew, Task

class TripCrew:
    def __init__(self, origin, cities, date_range):
        self.origin, self.cities, self.date_range = origin, cities, date_range

    def run(self):
        worker = Agent(role="Guide from " + self.origin, goal="g", backstory="b", llm="openai/gpt-4o")
        job = Task(description="d " + self.cities, expected_output="e", agent=worker)
        return {MADE}.kickoff()
"""
ASKING = "\nif __name__ == '__main__':\n    TripCrew(input('From? '), input('To? '), 'May').run()\n"
LITERAL = "\nif __name__ == '__main__':\n    TripCrew('Oslo', 'Rome', 'May').run()\n"
SERVICE = f"""
class Service:
    def __init__(self, topic="AI"):
        {body(by="        ")}
        self.team = {MADE}

    def build_crew(self):
        return self.team
"""

HOUSE = f"""
from crewai.project import CrewBase, agent, crew, task
{CREW}
@CrewBase
class House:
    agents_config, tasks_config = {{}}, {{}}

    def __init__(self, topic, verbose=False):
        self.topic = topic

    @agent
    def worker(self) -> Agent:
        return Agent(role="Worker on " + self.topic, goal="g", backstory="b", llm=llm)

    @task
    def job(self) -> Task:
        return Task(description="d", expected_output="e", agent=self.worker())

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)
"""
COMMAND = f"""
import click
{CREW}
@click.command()
@click.option("--topic", prompt=True)
def main(topic):
    {MADE}.kickoff(inputs={{"topic": topic}})
"""
RUN_IT = "if __name__ == '__main__':\n    main()\n"

CASES = [
    Case("@CrewBase with an argument", {"crew.py": HOUSE}, inputs={"topic": "AI"}, shape="crewbase"),
    Case(
        "@CrewBase returned by a function",
        {"crew.py": "def make_crew():\n    from house import House\n    return House('AI')", "house.py": HOUSE},
        shape="factory",
    ),
    Case("agent, named", {"crew.py": CREW}, "crew.py:worker", shape="agent", notes=("looked at as a crew of one",)),
    Case(
        "click command that asks",
        {"crew.py": COMMAND + RUN_IT},
        kind="reads_stdin",
        exit=3,
        sentence="it reads from standard input while it is loaded ('Topic:') (crew.py:14)",
        way_out="crew.py:main",
    ),
    Case(
        "click command, named", {"crew.py": COMMAND}, "crew.py:main", inputs={"topic": "AI"}, shape="kickoff captured"
    ),
    Case(
        "script that needs arguments",
        {"crew.py": f"import sys\n{CREW}\ndef main(topic):\n    {MADE}.kickoff()\n{MAIN}main(sys.argv[1])"},
        kind="raises",
        exit=3,
        sentence="it raises IndexError: list index out of range (crew.py:11)",
        way_out="or name what holds the crew: crew.py:main",
    ),
    Case(
        "kicked off in a thread",
        {
            "crew.py": f"import threading\n{CREW}\nmade = threading.Thread(target=lambda: "
            f"{MADE}.kickoff(inputs={{'a': 1}}))\nmade.start()\nmade.join()"
        },
        shape="kickoff captured",
        given={"a": 1},
    ),
    Case(
        "kicked off in a process",
        {
            "crew.py": f"from concurrent.futures import ProcessPoolExecutor\n{CREW}\n"
            f"def go():\n    return {MADE}.kickoff()\n{MAIN}with ProcessPoolExecutor(1) as pool:\n"
            "        pool.submit(go).result()"
        },
        kind="elsewhere",
        exit=3,
        sentence="crew.py kicks its crew off in a process of its own",
        way_out="crew.py:go",
    ),
    Case("dict of one", {"crew.py": f"{CREW}\nCREWS = {{'a': {MADE}}}"}, shape="constructed"),
    Case("module object", {"crew.py": f"{CREW}\ncrew = {MADE}"}, shape="module"),
    Case(
        "two objects",
        {"crew.py": f"{CREW}\none = {MADE}\ntwo = {MADE}"},
        kind="several_crews",
        exit=2,
        sentence="crew.py has 2 crews: `one`, `two`",
        way_out="choose one: crew.py:one",
    ),
    Case("two objects, one named", {"crew.py": f"{CREW}\none = {MADE}\ntwo = {MADE}"}, "crew.py:two", shape="module"),
    Case("no argument", {"crew.py": f"def build_crew():\n    {body()}\n    return {MADE}"}, shape="factory"),
    Case(
        "argument from --inputs",
        {"crew.py": f"def build_crew(tenant):\n    {body()}\n    assert tenant == 'acme'\n    return {MADE}"},
        inputs={"tenant": "acme"},
        shape="factory",
    ),
    Case(
        "argument with a default",
        {"crew.py": f"def build_crew(*, zone='a'):\n    {body()}\n    return {MADE}"},
        shape="factory",
    ),
    Case(
        "argument that may be made up",
        {
            "crew.py": "from crewai import Crew\n"
            f"def build(topic: str, limit: int, keywords: list[str], verbose: bool) -> Crew:\n    {body()}\n"
            f"    assert (topic, limit, keywords, verbose) == ('topic', 1, ['keywords'], False)\n    return {MADE}"
        },
        shape="factory",
        notes=("`build` was called with invented values (topic='topic'", "--inputs"),
    ),
    Case(
        "argument that may not",
        {"crew.py": f"def build_crew(topic, tenant, db_path):\n    {body()}\n    return {MADE}"},
        kind="missing_argument",
        exit=2,
        sentence="`build_crew` needs arguments: tenant, db_path (crew.py:1)",
        way_out="""give them with --inputs '{"tenant": "...", "db_path": "..."}'""",
    ),
    Case(
        "argument that is an object",
        {
            "crew.py": "from crewai import Crew\nfrom pydantic import BaseModel\n"
            "class Body(BaseModel):\n    topic: str\n"
            f"def build(request: Body) -> Crew:\n    {body()}\n    assert request.topic == 'AI'\n    return {MADE}"
        },
        inputs={"request": {"topic": "AI"}},
        shape="factory",
    ),
    Case(
        "arguments its own __main__ gives",
        {"crew.py": f"def build_crew(tenant):\n    {body()}\n    return {MADE}\n{MAIN}build_crew('acme').kickoff()"},
        shape="kickoff captured",
    ),
    Case(
        "async factory",
        {"crew.py": f"from crewai import Crew\nasync def anything() -> Crew:\n    {body()}\n    return {MADE}"},
        shape="factory",
    ),
    Case(
        "factory that kicks off",
        {"crew.py": f"{TOPIC}\ndef go(topic):\n    return {MADE}.kickoff(inputs={{'topic': topic}})"},
        "crew.py:go",
        inputs={"topic": "AI"},
        shape="kickoff captured",
        given={"topic": "AI"},
    ),
    Case("class with build_crew", {"crew.py": SERVICE}, shape="class"),
    Case("class that holds it, named", {"crew.py": SERVICE}, "crew.py:Service", shape="class"),
    Case("class with run, under __main__", {"crew.py": TRIP + LITERAL}, llm="auto", shape="kickoff captured"),
    Case(
        "class with run, its __main__ asks",
        {"crew.py": TRIP + ASKING},
        kind="reads_stdin",
        exit=3,
        sentence="standard input while it is loaded ('From?') (crew.py:14)",
        way_out="name the object or function: crew.py:TripCrew",
    ),
    Case(
        "class with run, named",
        {"crew.py": TRIP + ASKING},
        "crew.py:TripCrew",
        inputs={"origin": "Oslo"},
        shape="kickoff captured",
    ),
    Case(
        "script at import", {"crew.py": f"{TOPIC}\n{MADE}.kickoff(inputs={{'topic': 'a'}})"}, shape="kickoff captured"
    ),
    Case("inputs nobody gives", {"crew.py": f"{TOPIC}\ncrew = {MADE}"}, shape="module", exit=2),
    Case(
        "agent without a crew",
        {"crew.py": f"{CREW}\n{MAIN}worker.kickoff('what is new?')"},
        shape="agent",
        notes=("agent `Worker` is kicked off without a crew",),
    ),
    Case(
        "hierarchical, manager model",
        {
            "crew.py": f"{CREW}\ncrew = Crew(agents=[worker], tasks=[job], process=Process.hierarchical, "
            "manager_llm='openai/gpt-4.1')"
        },
        shape="module",
    ),
    Case(
        "hierarchical, manager agent",
        {
            "crew.py": f"{CREW}\nboss = Agent(role='Boss', goal='g', backstory='b', llm=llm)\n"
            "crew = Crew(agents=[worker], tasks=[job], process=Process.hierarchical, manager_agent=boss)"
        },
        shape="module",
    ),
    Case(
        "human input",
        {"crew.py": f"{CREW.replace('agent=worker', 'agent=worker, human_input=True')}\ncrew = {MADE}"},
        shape="module",
    ),
    Case(
        "model of one's own",
        {
            "crew.py": "from crewai import BaseLLM\nclass Mine(BaseLLM):\n    def call(self, messages, *a, **k):\n"
            f"        return 'ok'\n{CREW.replace('llm=llm', 'llm=Mine(model=chr(109))')}\ncrew = {MADE}"
        },
        shape="module",
        notes=("a Mine (m) is not a model crewdoctor can read",),
    ),
]
