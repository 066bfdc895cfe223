"""One sick diagnosis, small but complete, as a Report."""

from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import Unexamined
from crewdoctor.model.layer import Layer
from crewdoctor.model.report import Bar, Question, Report, Rung, Scope, Share
from crewdoctor.model.rule import RuleOutcome, RuleStatus
from crewdoctor.model.setting import UNLIMITED, Location, Seconds

DEADLINE = Finding(
    code="CD401",
    slug="deadline_does_not_interrupt",
    severity=Severity.ERROR,
    layer=Layer.AGENT,
    subject="agent:researcher",
    message="max_execution_time=5 did not interrupt a tool that took 20.0 s",
    evidence=("3.2",),
    measured=Quantity("returned after", 20.0),
    limit=Quantity("max_execution_time", Seconds(5), where="crew.py:31"),
)
HANG = Finding(
    code="CD304",
    slug="tool_hangs",
    severity=Severity.ERROR,
    layer=Layer.TOOL,
    subject="tool:look_up",
    message="tool `look_up` was still waiting after 20.0 s for internal-api.local:8443; nothing would have ended it",
    evidence=("3.1", "step:tool.isolated@tool:look_up"),
    measured=Quantity("still waiting after", 20.0, n=1),
    limit=Quantity("timeout", UNLIMITED, where="tools.py:57"),
    location=Location("/srv/project/tools.py", 57, "look_up", "return requests.get(url).text"),
    fix=Fix("give the call a timeout", "return requests.get(url, timeout=(3.05, 10)).text"),
    lost=20.0,
    explained=(DEADLINE,),
)


def sick(**changes) -> Report:
    fields = {
        "format": "crewdoctor.report/1",
        "crewdoctor": "0.1.0",
        "started": "2026-01-05T10:00:00+00:00",
        "target": "/srv/project/crew.py",
        "crew": "crew",
        "verdict": "2 errors; the first cause is CD304 tool_hangs on tool:look_up",
        "exit_code": 1,
        "seconds": 41.5,
        "findings": (HANG,),
        "questions": (
            Question(Layer.NETWORK, "host:a.example:443", "the host accepts connections", "ok", "0.01 s", 0.02),
            Question(Layer.NETWORK, "host:b.example:443", "the host accepts connections", "ok", "0.02 s", 0.03),
            Question(Layer.LLM, "agent:researcher/llm", "the model answers", "ok", "0.01 s", 0.4, simulated=True),
            Question(Layer.TOOL, "tool:look_up", "the tool answers alone", "finding", "CD304", 20.1),
            Question(Layer.AGENT, "agent:researcher", "the agent is fast", "skipped", "its tool hung before"),
        ),
        "ladder": (
            Rung("connect", 5, 0.001, 0.002, 0.001),
            Rung("sdk", 5, 0.05, 0.06, 0.049),
            Rung("crew", 1, 20.0, 20.0, 19.9, jump=True, note="cut off"),
        ),
        "waterfall": (
            Bar("crew.kickoff", "crew:crew", 0.0, 20.0, 0, "crew", open=True, critical=True),
            Bar("llm.call", "agent:researcher/llm", 0.1, 0.4, 1, "llm", critical=True),
            Bar("tool.call", "tool:look_up", 0.5, 20.0, 1, "tool", open=True, critical=True),
        ),
        "shares": (Share("tool", 19.5, 0.975), Share("llm", 0.3, 0.015)),
        "ledger": (
            Scope(
                "crew",
                "crew:crew",
                "20.0 s",
                "no limit",
                "",
                "",
                (
                    Scope("agent", "agent:researcher", "", "5 s", "max_execution_time=5", "a tool can outlive it"),
                    Scope("llm", "agent:researcher/llm", "0.30 s", "90 min", "9 \N{MULTIPLICATION SIGN} 600 s"),
                ),
            ),
        ),
        "longest_hang": "the longest this crew can hang: for ever (tool:look_up has no timeout)",
        "unexamined": (Unexamined("agent:writer/llm", "SomeLLM is a foreign wrapper"),),
        "rules": (RuleOutcome("CD101", "nameserver", RuleStatus.NOT_APPLICABLE, "nothing was recorded"),),
        "simulated": ("agent:researcher/llm",),
        "environment": {
            "python": "3.11.7",
            "project_root": "/srv/project",
            "versions": {"crewai": "1.15.30", "openai": "2.54.0"},
            "agents": 2,
            "tasks": 2,
            "tools": 1,
            "fail_on": "error",
            "models": [
                {
                    "subject": "agent:researcher/llm",
                    "model": "gpt-4o",
                    "provider": "openai",
                    "known": True,
                    "simulated": True,
                }
            ],
            "notes": [],
            "allowed_tools": [],
        },
    }
    return Report(**{**fields, **changes})
