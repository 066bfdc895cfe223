"""Where the value of a keyword was written, followed from the line that builds the object."""

from __future__ import annotations

import textwrap

import pytest

from crewdoctor.scan.origin import origin_of

CASES = {
    "at the call": ("x = LLM(timeout=30)  # HERE", "x = LLM"),
    "over several lines": ("x = LLM(\n    model='m',\n    timeout=30,  # HERE\n)", "x = LLM"),
    "a name": ("LIMIT = 30  # HERE\nx = LLM(timeout=LIMIT)", "x = LLM"),
    "a name for a name": ("A = 30  # HERE\nB = A\nx = LLM(timeout=float(B))", "x = LLM"),
    "a local name": ("def make():\n    limit = 5  # HERE\n    return LLM(timeout=limit)", "    return LLM"),
    "unpacked": ("CONFIG = {\n    'model': 'm',\n    'timeout': 30,  # HERE\n}\nx = LLM(**CONFIG)", "x = LLM"),
    "unpacked twice": (
        "BASE = dict(timeout=30)  # HERE\nCONFIG = {**BASE, 'model': 'm'}\nx = LLM(**CONFIG)",
        "x = LLM",
    ),
    "the last entry wins": (
        "BASE = {'timeout': 1}\nCONFIG = {**BASE, 'timeout': 30}  # HERE\nx = LLM(**CONFIG)",
        "x = LLM",
    ),
    "an entry": ("CONFIG = {'llm': 30}  # HERE\nx = LLM(timeout=CONFIG['llm'])", "x = LLM"),
    "got": ("CONFIG = {'llm': 30}  # HERE\nx = LLM(timeout=CONFIG.get('llm', 3))", "x = LLM"),
    "got, by default": ("CONFIG = {'m': 30}\nx = LLM(timeout=CONFIG.get('llm', 3))  # HERE", "x = LLM"),
    "of a class": ("class C:\n    LIMIT = 30  # HERE\nx = LLM(timeout=C.LIMIT)", "x = LLM"),
    "of self": (
        "class C:\n    limit = 30  # HERE\n    def make(self):\n        return LLM(timeout=self.limit)",
        "        return LLM",
    ),
    "returned": ("def limit():\n    return 30  # HERE\nx = LLM(timeout=limit())", "x = LLM"),
    "a dictionary returned": ("def held():\n    return {'timeout': 30}  # HERE\nx = LLM(**held())", "x = LLM"),
    "of another module": ("from limits import LIMIT\nx = LLM(timeout=LIMIT)", "x = LLM"),
    "of another module, by its name": ("import limits\nx = LLM(timeout=limits.LIMIT)", "x = LLM"),
    "of a package": ("from .limits import LIMIT\nx = LLM(timeout=LIMIT)", "x = LLM"),
    "in a mapping for the client": ("x = LLM(client_params={'timeout': 30})  # HERE", "x = LLM"),
    "a member of a library's enumeration": (
        "from crewai import Process\nx = Crew(timeout=Process.sequential)  # HERE",
        "x = Crew",
    ),
    "with units": ("x = Agent(max_execution_time=5 * 60)  # HERE", "x = Agent"),
}


def lines(tmp_path, text, *starts):
    """The frames of the lines that begin so, and the line marked HERE."""
    limits = "LIMIT = 30  # HERE\n"
    (tmp_path / "limits.py").write_text(limits)
    file = tmp_path / "crew.py"
    file.write_text(text)
    rows = text.splitlines()
    frames = [(str(file), next(i for i, row in enumerate(rows, 1) if row.startswith(each)), "f") for each in starts]
    marked = [(str(file), i) for i, row in enumerate(rows, 1) if "# HERE" in row]
    return frames, (marked or [(str(tmp_path / "limits.py"), 1)])[0]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_followed_to_the_line_that_says_it(case, tmp_path):
    text, start = case
    name = "max_execution_time" if "max_execution_time" in text else "timeout"
    frames, expected = lines(tmp_path, text, start)

    found = origin_of(frames, name)

    assert found is not None
    assert found.followed
    assert not found.variable
    assert (found.file, found.line) == expected


HELPER = "def make(model, timeout=7):{default}\n    return LLM(model=model, timeout=timeout)\nx = make({given}){call}\n"


@pytest.mark.parametrize(
    ("given", "default"), [("'m', 30", ""), ("'m', timeout=30", ""), ("'m'", "  # HERE")], ids=["place", "name", "none"]
)
def test_a_parameter_is_what_the_callers_line_gives_it(given, default, tmp_path):
    text = HELPER.format(given=given, default=default, call="" if default else "  # HERE")
    frames, expected = lines(tmp_path, text, "    return LLM", "x = make")

    found = origin_of(frames, "timeout")

    assert found is not None
    assert (found.file, found.line) == expected


@pytest.mark.parametrize(
    "value", ["float(os.getenv('WAIT', '30'))", "int(os.environ['WAIT'])", "os.environ.get('WAIT') or 3"]
)
def test_a_variable_is_named(value, tmp_path):
    frames, _ = lines(tmp_path, f"import os\nLIMIT = {value}\nx = LLM(timeout=LIMIT)", "x = LLM")

    found = origin_of(frames, "timeout")

    assert found is not None
    assert (found.variable, found.line) == ("WAIT", 2)


UNFOLLOWED = {
    "settings.llm_timeout": "from pydantic_settings import s\nsettings = s()\nx = LLM(timeout=settings.llm_timeout)",
    "compute(3)": "from elsewhere import compute\nx = LLM(timeout=compute(3))",
    "load()": "from elsewhere import load\nx = LLM(**load())",
    "LIMIT": "if a:\n    LIMIT = 1\nelse:\n    LIMIT = 2\nx = LLM(timeout=LIMIT)",
}


@pytest.mark.parametrize(("said", "text"), UNFOLLOWED.items(), ids=UNFOLLOWED)
def test_what_cannot_be_followed_is_told_so_and_never_guessed(said, text, tmp_path):
    frames, _ = lines(tmp_path, textwrap.dedent(text), "x = LLM")

    found = origin_of(frames, "timeout")

    assert found is not None
    assert (found.followed, found.said) == (False, said)
    assert found.line == frames[0][1]


def test_a_call_that_says_nothing_of_it_has_no_origin(tmp_path):
    frames, _ = lines(tmp_path, "x = LLM(model='m', **{'stop': 3})", "x = LLM")

    assert origin_of(frames, "timeout") is None
