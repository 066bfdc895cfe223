import ast

import pytest

from crewdoctor.model.setting import Location, Provenance, Seconds, Setting
from crewdoctor.own_line import with_keywords
from crewdoctor.remedies import bounded_call, roomier
from crewdoctor.scan.statement import call_at, statement_at

WRAPPED = """return requests.get(
    BASE_ADDRESS + '/stock/' + item,
    params=parameters,
    timeout=(3.05, 20),
).json()"""
LINES = [
    ("return requests.get(url).text", "requests", "return requests.get(url, timeout=(3.05, 20)).text"),
    (
        "with urllib.request.urlopen(url) as answer:",
        "urllib",
        "with urllib.request.urlopen(url, timeout=20) as answer:",
    ),
    ("r = await client.get(url)", "httpx", "r = await client.get(url, timeout=20)"),
    ("r = httpx.get(url)", "httpx", "r = httpx.get(url, timeout=httpx.Timeout(20, connect=3.0))"),
    ("return requests.get(url, timeout=None).json()  # why", "requests", None),
    ("return queue.get()", "queue", "return queue.get(timeout=20)"),
    (
        "x = subprocess.run((command), check=True,)",
        "subprocess",
        "x = subprocess.run((command), check=True, timeout=20,)",
    ),
    ("ä = requests.get('ü').text", "requests", "ä = requests.get('ü', timeout=(3.05, 20)).text"),
    (
        "return requests.post(\n    url,\n    json=body,\n).json()",
        "requests",
        "return requests.post(\n    url,\n    json=body,\n    timeout=(3.05, 20),\n).json()",
    ),
    (
        "return requests.get(BASE_ADDRESS + '/stock/' + item, params=parameters).json()",
        "requests",
        WRAPPED,
    ),
]


@pytest.mark.parametrize(("source", "client", "fixed"), LINES)
def test_the_fix_is_the_users_own_line_with_only_the_timeout_added(source, client, fixed):
    calls = [
        node for node in ast.walk(ast.parse(source + "\n    pass" * source.endswith(":"))) if isinstance(node, ast.Call)
    ]
    names = [ast.unparse(node.func) for node in calls]
    call = next(name for name in names if name.endswith(("get", "post", "run", "urlopen")))

    fix = bounded_call(client, call, at=Location("tools.py", 3, "f", source.splitlines()[0], source))

    assert fix.code == (fixed or "return requests.get(url, timeout=(3.05, 20)).json()  # why")


@pytest.mark.parametrize(
    "source",
    [
        "",
        "timeout=None,",
        "return requests.get(a) or requests.get(b)",
        "requests.get(each for each in urls)",
        "elif x:",
    ],
)
def test_a_line_that_cannot_be_mended_alone_gets_the_fix_in_general(source):
    assert bounded_call("requests", "requests.get", at=Location("t.py", 1, "", source)).code.startswith("requests.get(")


def test_nothing_is_added_to_a_call_that_takes_no_timeout():
    assert with_keywords("x = f()", lambda node: False, {"timeout": "1"}) == ""
    assert bounded_call("socket", "sock.recv", at=Location("t.py", 1, "", "data = sock.recv(10)")).code.startswith(
        "socket.create_connection"
    )


SOURCE = """
def build():
    return Agent(
        role="r",
        llm=LLM(
            model="m",
            timeout=3,
            max_retries=5,
        ),
    )


def fetch(url):
    with requests.get(
        url,
        stream=True,
    ) as answer:
        return answer.text


def ask(client):
    return client.create(
        prompt="PROMPT",
    )
""".replace("PROMPT", "tell me all about it " * 9)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "crew.py"
    path.write_text(SOURCE)
    return str(path)


def test_a_statement_over_several_lines_is_whole_and_without_its_body(file):
    whole = "with requests.get(\n    url,\n    stream=True,\n) as answer:"

    assert [statement_at(file, line) for line in (14, 15, 17)] == [whole] * 3
    assert statement_at(file, 18) == ""


def test_the_call_around_a_keyword_is_its_own_and_no_other(file):
    assert call_at(file, 7).splitlines() == ["LLM(", '    model="m",', "    timeout=3,", "    max_retries=5,", ")"]


def test_a_statement_that_may_hold_a_prompt_stays_out(file):
    assert (statement_at(file, 22), statement_at("nowhere.py", 1)) == ("", "")


def timeout(source, origin="python"):
    place = Location("crew.py", 7, "build", source, "")
    return Setting("agent:a/llm", "llm", "timeout.read", Seconds(3), Provenance(origin, "crew.py:7", place))


def retries(origin):
    return Setting("agent:a/llm", "llm", "max_retries", 5, Provenance(origin, "x"))


@pytest.mark.parametrize(
    ("setting", "chosen", "code"),
    [
        (
            timeout('llm = LLM(model="m", timeout=3, max_retries=5)'),
            retries("python"),
            'llm = LLM(model="m", timeout=90, max_retries=5)',
        ),
        (
            timeout('llm=LLM(model="m", timeout=3),'),
            retries("default"),
            'llm=LLM(model="m", timeout=90, max_retries=1),',
        ),
        (timeout("timeout: 3", "yaml"), retries("default"), "timeout: 90\nmax_retries: 1"),
        (timeout("OPENAI_TIMEOUT=...", "dotenv"), None, "OPENAI_TIMEOUT=90"),
        (timeout("timeout=3,"), retries("python"), "LLM(..., timeout=90)"),
    ],
)
def test_the_users_own_arguments_of_a_model_are_kept(setting, chosen, code):
    fix = roomier(setting, 90, 30.0, chosen)

    assert fix.code == code
    assert ("bound the attempts" in fix.title) == any(each in code for each in ("max_retries=1", "max_retries: 1"))
