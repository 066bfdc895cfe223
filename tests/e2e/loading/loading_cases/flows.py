"""Flows, of the house of `crewai create flow` and others."""

from loading_cases.case import CREW, MADE, Case

AGENTS = "planner:\n  role: Planner of {topic}\n  goal: g\n  backstory: b\n"
TASKS = "planning:\n  description: d\n  expected_output: e\n  agent: planner\n"
CONTENT_CREW = """
from crewai import Agent, Crew, Task
from crewai.project import CrewBase, agent, crew, task

@CrewBase
class ContentCrew:
    @agent
    def planner(self) -> Agent:
        return Agent(config=self.agents_config["planner"], llm="openai/gpt-4o")

    @task
    def planning(self) -> Task:
        return Task(config=self.tasks_config["planning"])

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)
"""
FLOW_MAIN = """
from pathlib import Path
from pydantic import BaseModel
from crewai.flow import Flow, listen, start
from posts.crews.content_crew.content_crew import ContentCrew

class ContentState(BaseModel):
    topic: str = ""

class ContentFlow(Flow[ContentState]):
    @start()
    def plan_content(self, crewai_trigger_payload: dict = None):
        self.state.topic = self.state.topic or "AI Agents"

    @listen(plan_content)
    def generate_content(self):
        result = ContentCrew().crew().kickoff(inputs={"topic": self.state.topic})
        Path("post.md").write_text(result.raw)

def kickoff():
    ContentFlow().kickoff()

if __name__ == "__main__":
    kickoff()
"""
HOUSE = {
    "pyproject.toml": "[project]\nname = 'posts'\n[project.scripts]\nkickoff = 'posts.main:kickoff'\n"
    "[tool.crewai]\ntype = 'flow'\n",
    "src/posts/__init__.py": "",
    "src/posts/main.py": FLOW_MAIN,
    "src/posts/crews/content_crew/content_crew.py": CONTENT_CREW,
    "src/posts/crews/content_crew/config/agents.yaml": AGENTS,
    "src/posts/crews/content_crew/config/tasks.yaml": TASKS,
}
FILE = "src/posts/main.py"


def flow(first, more="", base="Flow"):
    """A file with a Flow of one method before its crew."""
    return {
        "flow.py": f"import socket, subprocess\nfrom crewai.flow import Flow, listen, start\n{CREW}\n"
        f"class Days({base}):\n    @start()\n    def first(self):\n        {first}\n\n"
        f"    @listen(first)\n    def second(self):\n        return {MADE}.kickoff()\n{more}"
    }


STATE = f"""
import asyncio
from crewai.flow.flow import Flow, listen, router, start
from crewai.flow.persistence import persist
from pydantic import BaseModel
{CREW}
class Posts(BaseModel):
    topic: str = "x"

@persist()
class Days(Flow[Posts]):
    @start()
    def first(self):
        self.state.topic += "y"

    @router(first)
    def second(self):
        return "go"

    @listen("go")
    async def third(self):
        both = {MADE}, {MADE}
        await asyncio.gather(*(each.kickoff_async(inputs={{"topic": self.state.topic}}) for each in both))
"""
NESTED = f"""
import asyncio
from crewai.flow.flow import Flow, start
{CREW}
class Inner(Flow):
    @start()
    def first(self):
        return {MADE}.kickoff()

class Outer(Flow):
    def __init__(self, topic, **more):
        super().__init__(**more)

    @start()
    async def first(self):
        return await Inner().kickoff_async()

if __name__ == "__main__":
    asyncio.run(Outer("AI").kickoff_async())
"""

CASES = [
    Case("state, router, persistence, two at once", {"flow.py": STATE}, "flow.py", shape="flow", given={"topic": "xy"}),
    Case("a flow inside a flow", {"flow.py": NESTED}, "flow.py", shape="flow"),
    Case(
        "argument of its own made up",
        {"flow.py": NESTED},
        "flow.py:Outer",
        shape="flow",
        notes=("`Outer` was called with invented values (topic='topic')",),
    ),
    Case(
        "asks OpenAI's own client first",
        flow("__import__('openai').OpenAI(api_key='k').models.list()"),
        "flow.py",
        kind="flow",
        exit=3,
        sentence="its method `first` contacts api.openai.com:443, which loading does not do (flow.py:12)",
    ),
    Case(
        "kicked off for each, by a function named",
        {
            "flow.py": f"from crewai.flow import Flow, start\n{CREW}\nclass Days(Flow):\n    @start()\n"
            f"    def first(self):\n        return {MADE}.kickoff_for_each(inputs=[{{'a': 1}}, {{'a': 2}}])\n"
            "def kickoff():\n    Days().kickoff()"
        },
        "flow.py:kickoff",
        shape="flow",
        given={"a": 1},
    ),
    Case("house of crewai create flow", HOUSE, FILE, shape="flow", given={"topic": "AI Agents"}),
    Case("its folder, as crewai run starts it", HOUSE, ".", shape="flow", given={"topic": "AI Agents"}),
    Case("with --inputs", HOUSE, FILE, inputs={"topic": "Oslo"}, shape="flow", given={"topic": "Oslo"}),
    Case("flow object", flow("pass", "flow = Days()"), "flow.py:flow", shape="flow"),
    Case(
        "async methods",
        {
            "flow.py": f"from crewai.flow import Flow, start\n{CREW}\nclass Days(Flow):\n    @start()\n"
            f"    async def first(self):\n        return await {MADE}.kickoff_async(inputs={{'a': 1}})"
        },
        "flow.py",
        shape="flow",
        given={"a": 1},
    ),
    Case(
        "asks a model first",
        flow("llm.call('hi')"),
        "flow.py",
        kind="flow",
        exit=3,
        sentence="its method `first` asks the model gpt-4o, which loading does not do (flow.py:12)",
        way_out="--inputs",
    ),
    Case(
        "contacts a host first",
        flow("socket.create_connection(('192.0.2.9', 443))"),
        "flow.py",
        kind="flow",
        exit=3,
        sentence="its method `first` contacts 192.0.2.9:443, which loading does not do (flow.py:12)",
    ),
    Case(
        "starts a process first",
        flow("subprocess.run(['git', 'log'])"),
        "flow.py",
        kind="flow",
        exit=3,
        sentence="its method `first` starts the process git, which loading does not do (flow.py:12)",
    ),
    Case(
        "asks a person first",
        flow("input('Topic? ')"),
        "flow.py",
        kind="flow",
        exit=3,
        sentence="its method `first` waits on a prompt (flow.py:12)",
    ),
    Case(
        "sleeps first",
        flow("__import__('time').sleep(6); 1 / 0"),
        "flow.py",
        seconds=3,
        kind="deadline",
        exit=3,
        sentence="after some seconds it is still being loaded (flow.py:12)",
    ),
    Case(
        "needs state nobody gives",
        flow("self.state['topic'].upper()"),
        "flow.py",
        kind="flow",
        exit=3,
        sentence="its method `first` raises KeyError: 'topic' (flow.py:12)",
        way_out="--inputs",
    ),
    Case("the same state, given", flow("self.state['topic'].upper()"), "flow.py", inputs={"topic": "x"}, shape="flow"),
    Case(
        "swallows what is withheld",
        flow("\n        try:\n            llm.call('hi')\n        except BaseException:\n            pass"),
        "flow.py",
        shape="flow",
    ),
    Case(
        "runs to its end",
        {
            "flow.py": "from crewai.flow import Flow, start\nclass Days(Flow):\n    @start()\n    def first(self):\n"
            "        return 1"
        },
        "flow.py",
        kind="flow",
        exit=3,
        sentence="Flow `Days` runs to its end and kicks off no crew",
        way_out="name the crew it runs",
    ),
    Case(
        "cannot run, a crew beside it",
        {**HOUSE, FILE: FLOW_MAIN.replace("self.state.topic or", "open('/nowhere/a').read() or")},
        FILE,
        inputs={"topic": "x"},
        kind="missing_file",
        exit=3,
        sentence="it needs the file /nowhere/a, which is not there (src/posts/main.py:13)",
    ),
    Case(
        "asks a model, a crew beside it",
        {
            **HOUSE,
            FILE: FLOW_MAIN.replace("self.state.topic or", "__import__('crewai').LLM('openai/gpt-4o').call('x') or"),
        },
        FILE,
        inputs={"topic": "x"},
        shape="crewbase",
        notes=("its method `plan_content` asks the model gpt-4o, which loading does not do",),
    ),
    Case(
        "agent kicked off by a flow",
        {
            "flow.py": f"from crewai.flow import Flow, start\n{CREW}\nclass Days(Flow):\n    @start()\n"
            "    def first(self):\n        return worker.kickoff('hi')"
        },
        "flow.py",
        shape="flow",
        notes=("agent `Worker` is kicked off without a crew",),
    ),
    Case(
        "two flows, one under __main__",
        flow("pass", "\nclass Other(Days):\n    pass\nif __name__ == '__main__':\n    Days().kickoff()"),
        "flow.py",
        shape="flow",
    ),
    Case(
        "two flows",
        flow("pass", "\nclass Other(Days):\n    pass\n"),
        "flow.py",
        kind="several_crews",
        exit=2,
        sentence="flow.py has 2 crews: `Days`, `Other`",
        way_out="flow.py:Days",
    ),
]
