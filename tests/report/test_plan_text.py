from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Plan, Step
from crewdoctor.report.plan_text import cost, render


def plan_of(calls):
    return Plan((Step(f"s{calls}", "p", Layer.LLM, "llm", "crew", 10.0, llm_calls=calls, tokens=10 * calls),))


def test_what_is_announced_is_never_more_than_the_cap():
    ground, crew = plan_of(8), plan_of(20)

    assert cost([ground], Options()) == "at most 8 calls of the crew's own model, 80 tokens"
    assert cost([ground, crew], Options()).startswith("at most 20 calls of the crew's own model")
    assert cost([ground, crew], Options(max_llm_calls=100)).startswith("at most 28 calls")
    assert cost([Plan()], Options()) == "no call of the crew's own model"


def test_the_plan_says_calls_and_no_price():
    text = render(Inventory("crew.py", "crew", "/p", "module"), [plan_of(3)], Options())

    assert "at most 3 calls of the crew's own model" in text
    assert "paid" not in text
