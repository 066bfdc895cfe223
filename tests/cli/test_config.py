import pytest

from crewdoctor.config import configure, seconds
from crewdoctor.model.refusal import Refusal


def test_defaults_have_no_origin(tmp_path):
    configured = configure({}, environment={}, folder=tmp_path)

    assert configured.options.deadline == 120.0
    assert configured.options.fail_on == "error"
    assert configured.origins == {}


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        "[tool.crewdoctor]\ndeadline = '3m'\nfail-on = 'warning'\nmax-llm-calls = 5\n"
    )
    environment = {"CREWDOCTOR_DEADLINE": "2m", "CREWDOCTOR_FAIL_ON": "never"}

    configured = configure({"deadline": "90"}, environment=environment, folder=tmp_path)

    assert configured.options.deadline == 90.0
    assert configured.options.fail_on == "never"
    assert configured.options.max_llm_calls == 5
    assert configured.origins == {
        "deadline": "--deadline",
        "fail_on": "env CREWDOCTOR_FAIL_ON",
        "max_llm_calls": str(tmp_path / "pyproject.toml"),
    }


def test_inputs_of_several_sources_are_merged_by_name(tmp_path):
    (tmp_path / "crewdoctor.toml").write_text("[inputs]\ntopic = 'a'\nyear = 2026\n[tools.search]\nquery = 'x'\n")

    configured = configure({"inputs": '{"topic": "b"}'}, environment={}, folder=tmp_path)

    assert configured.options.inputs == {"topic": "b", "year": 2026}
    assert configured.options.input_origins["topic"] == "--inputs"
    assert configured.options.input_origins["year"].endswith("crewdoctor.toml")
    assert configured.options.tool_arguments == {"search": {"query": "x"}}


def test_the_nearest_file_upwards_counts(tmp_path):
    (tmp_path / "crewdoctor.toml").write_text("outer = '60s'")
    folder = tmp_path / "src" / "pkg"
    folder.mkdir(parents=True)
    (tmp_path / "src" / "pyproject.toml").write_text("[project]\nname = 'x'\n")

    assert configure({}, environment={}, folder=folder).options.outer == 60.0


def test_lists_come_with_commas_and_repeated(tmp_path):
    configured = configure(
        {"select": ["CD301,CD2", "CD4"]}, environment={"CREWDOCTOR_ALLOW_TOOL": "a, b"}, folder=tmp_path
    )

    assert configured.options.select == ("CD301", "CD2", "CD4")
    assert configured.options.allow_tools == ("a", "b")


def test_an_unknown_variable_is_told_and_does_not_stop(tmp_path):
    configured = configure({}, environment={"CREWDOCTOR_DEADLIN": "3", "CREWDOCTOR_CI": "1"}, folder=tmp_path)

    assert configured.warnings == ("env CREWDOCTOR_DEADLIN: no such option; did you mean deadline?; ignored",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tool.crewdoctor]\ndeadlin = 3", "unknown option 'deadlin' for crewdoctor; did you mean deadline?"),
        ("[tool.crewdoctor\n", "not valid TOML"),
        ("[tool.crewdoctor]\ndeadline = 'soon'", "'soon' is not a duration; write 120s, 2m or 90"),
        ("[tool.crewdoctor]\ndeadline = -1", "longer than 0 s"),
        ("[tool.crewdoctor]\nllm = 'openai'", "'openai' is not one of auto, own, embedded"),
        ("[tool.crewdoctor]\ninclude-content = 'maybe'", "include-content cannot be 'maybe'; write true or false"),
        ("[tool.crewdoctor]\nselect = 3", "select cannot be 3"),
        ("[tool.crewdoctor]\ndry-run = true", "unknown option 'dry-run'"),
        ("tool.crewdoctor = 3", "is not a table"),
    ],
)
def test_a_malformed_file_is_refused_in_one_sentence_that_names_it(tmp_path, text, told):
    (tmp_path / "pyproject.toml").write_text(text)

    with pytest.raises(Refusal) as refusal:
        configure({}, environment={}, folder=tmp_path)

    assert told in refusal.value.sentence
    assert str(tmp_path / "pyproject.toml") in refusal.value.sentence
    assert "\n" not in refusal.value.sentence
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize(("text", "read"), [("90", 90), ("120s", 120), ("2m", 120), ("1.5h", 5400), ("50ms", 0.05)])
def test_durations(text, read):
    assert seconds(text, "--deadline") == read
