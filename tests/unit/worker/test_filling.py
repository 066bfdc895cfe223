import pytest

from crewdoctor.worker.filling import arguments_for
from crewdoctor.worker.load_failure import TargetDoesNotLoad


def crew_of(topic, /, company: str, *rest, limit: "int", cities: list[str], verbose: bool | None, zone="a", **more): ...


class Meta(type):
    def __call__(cls, *args, **kwargs):
        return super().__call__(*args, **kwargs)


class Team(metaclass=Meta):
    def __init__(self, topic: str, year: int = 1): ...


def test_inputs_come_first_then_defaults_then_values_of_the_right_shape():
    found = arguments_for(crew_of, "crew_of", {"company": "ACME", "unknown": 1})

    assert found.positional == ["topic"]
    assert found.named == {"company": "ACME", "limit": 1, "cities": ["cities"], "verbose": False}
    assert list(found.invented) == ["topic", "limit", "cities", "verbose"]
    assert "company" not in found.note("crew_of")[0]


def test_a_default_gives_way_to_an_input():
    assert arguments_for(Team, "Team", {"year": 3}).named == {"topic": "topic", "year": 3}


@pytest.mark.parametrize(
    "parameter",
    [
        "api_key",
        "topic_file",
        "query_url",
        "db",
        "llm",
        "topic_id",
        "x",
        "company: dict",
        "topic: Path",
        "model_name",
        "text_callback",
        "names: list[int]",
        "on_topic: Callable",
        "userName",
        "dry_run: bool",
        "questionPath",
    ],
)
def test_what_decides_where_a_call_goes_is_never_made_up(parameter):
    space = {}
    exec(f"from pathlib import Path\nfrom collections.abc import Callable\ndef build({parameter}): ...", space)

    with pytest.raises(TargetDoesNotLoad) as refused:
        arguments_for(space["build"], "build", {})

    name = parameter.partition(":")[0]
    assert refused.value.kind == "missing_argument"
    assert refused.value.usage
    assert f"`build` needs an argument: {name}" in refused.value.sentence
    assert f'--inputs \'{{"{name}": "..."}}\'' in refused.value.way_out


@pytest.mark.parametrize(
    "parameter", ["topic", "company: str", "maxResults: int", "date_range", "question: 'str | None'"]
)
def test_what_a_crew_is_about_may_be(parameter):
    space = {}
    exec(f"def build({parameter}): ...", space)

    assert arguments_for(space["build"], "build", {}).invented
