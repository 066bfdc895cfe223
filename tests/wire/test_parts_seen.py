"""Parts of a recorded program that were at work and never read."""

from crewdoctor.model.inventory import Inventory, LlmEntry, ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.span import Span
from crewdoctor.wire.parts_seen import with_parts_seen


def span(number, name, subject, **attrs):
    return Span(str(number), "crew.kickoff@7", name, 1.0, None, Layer.TOOL, subject, None, None, attrs)


WORK = [
    span(1, "crew.kickoff", "crew:kitchen"),
    span(2, "agent.execution", "agent:cook"),
    span(3, "llm.call", "agent:cook/llm", model="m"),
    span(4, "tool.call", "tool:find", tool="find", agent="agent:cook"),
    span(5, "tool.call", "tool:find", tool="find"),
]


def test_what_was_at_work_is_there_by_name_and_nothing_is_claimed_of_it():
    held = with_parts_seen(None, WORK, "main.py")

    assert (held.target, held.crew, held.shape) == ("main.py", "kitchen", "recorded")
    assert [(each.subject, each.owners) for each in held.tools] == [("tool:find", ("agent:cook",))]
    assert [(each.subject, each.model, each.known) for each in held.llms] == [("agent:cook/llm", "m", False)]
    assert [each.subject for each in held.agents] == ["agent:cook"]
    assert held.settings == ()


def test_what_was_read_stays_as_it_was():
    tool = ToolEntry("tool:find", "find", "function", None, endpoints=("host:a:80",))
    shared = LlmEntry("agent:chef/llm", "m", "openai", known=True, users=("agent:chef/llm", "agent:cook/llm"))
    held = with_parts_seen(Inventory("main.py", "c", "/p", "recorded", tools=(tool,), llms=(shared,)), WORK, "")

    assert (held.tools, held.llms, held.crew) == ((tool,), (shared,), "c")


def test_a_program_without_a_crew_has_none():
    assert with_parts_seen(None, [span(1, "http.request", "")], "main.py") is None
