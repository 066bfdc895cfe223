import json

import pytest

from crewdoctor.wire import redact
from crewdoctor.wire.redact import MASK, Redactor, clean

CREWS_SECRET = "Zq9kTw3xLmP0vR7y"


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-{}",
        "headers={{'Authorization': 'Bearer {}', 'Accept': '*/*'}}",
        "(b'x-api-key', b'{}')",
        "x-api-key: {}",
        "Cookie: session={}; theme=dark",
        "Set-Cookie: sid={}",
        "Proxy-Authorization: Basic {}",
        "http://bob:{}@proxy.internal:3128",
        "bob:{}@proxy.internal:3128",
        "postgresql://app:{}@db/main",
        "postgresql://app:x/{}@db/main",
        "redis://:{}@cache:6379/0",
        "https://api.example.com/search?q=weather&token={}",
        "https://api.example.com/cb#access_token={}",
        "https://hooks.example.com/services/{}Aa12345",
        'client = Client(api_key="{}")',
        "OPENAI_API_KEY={}",
        "password={} host=db user=app",
        '{{"client_secret": "{}"}}',
        '{{\\"client_secret\\": \\"{}\\"}}',
        "token: {}",
        "key={}",
        "eyJhbGciOiJIUzI1NiJ9.{}.c2ln",
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        "AIza{}",
        'f"{{{{SERVICE}}}}/orders?sig={}&of={{{{subject}}}}"',
        'Agent(role="Clerk", goal="Find {} in {}", llm=llm)',
        "Agent(backstory=f'Raised by {}, cut off here",
    ],
)
def test_a_secret_is_masked_by_the_shape_around_it(text):
    redacted = Redactor().redact(text.format(*[CREWS_SECRET] * 2))

    assert CREWS_SECRET not in redacted
    assert MASK in redacted
    assert Redactor().redact(redacted) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "step:tool.isolated@tool:search",
        "setting:agent:researcher/llm:timeout.read",
        "agent:support@acme.example",
        "https://api.openai.com/v1/chat/completions",
        "http://127.0.0.1:8931/v1",
        "LLM(model='gpt-4o', timeout=30, max_tokens=100)",
        "first_token: 2.31",
        "sorted(rows, key=len)",
        "api_key=os.environ['OPENAI_API_KEY']",
        "set it: export GROQ_API_KEY=... in the shell",
        "the model starts to answer in time",
        "requests.get(url, timeout=5)",
        "/orders?limit=50&version=2024",
        "Agent(goal=GOAL, backstory=TEXTS['b'])",
        "description: what the tool does",
        "token limit exceeded, basic authentication required",
        "host:internal-api.local:443",
    ],
)
def test_what_is_no_secret_stays_readable(text):
    assert Redactor().redact(text) == text


def test_a_url_keeps_its_host_path_and_parameter_names():
    redacted = Redactor().redact("GET https://u:p@host.example:8443/v1/items?limit=5&cursor=abc failed")

    assert redacted == f"GET https://{MASK}@host.example:8443/v1/items?limit={MASK}&cursor={MASK} failed"


def test_a_learned_secret_is_masked_anywhere_and_in_its_url_form():
    redactor = Redactor()
    redactor.learn("p@ss/word 42")

    assert redactor.redact("the proxy said p@ss/word 42 is wrong") == f"the proxy said {MASK} is wrong"
    assert "p%40ss" not in redactor.redact("tried p%40ss%2Fword%2042 too")


def test_placeholders_and_plain_words_are_not_learned():
    redactor = Redactor()
    for word in ("ollama", "EMPTY", "postgres", "not-needed", "1234567890", ""):
        redactor.learn(word)

    assert redactor.redact("ask ollama in postgres, EMPTY not-needed") == "ask ollama in postgres, EMPTY not-needed"


def test_the_environment_teaches_keys_and_passwords_in_urls():
    redactor = Redactor()
    redactor.learn_environment(
        {
            "SERPER_API_KEY": "abcdef123456",
            "HTTPS_PROXY": "http://bob:letmein99@proxy:3128",
            "SSL_CERT_FILE": "/etc/ssl/cert.pem",
            "HOME": "/home/crewuser",
        }
    )

    redacted = redactor.redact("abcdef123456 letmein99 /home/crewuser")

    assert redacted == f"{MASK} {MASK} /home/crewuser"


def test_a_variable_of_any_name_may_hold_what_was_drawn_by_lot_and_a_host_never_is():
    environment = {
        "VAULT_PIN": "Jx3Ub8Ye6Mz1",
        "PARTNER": "Xk6Zl1Mv8Nb3Ac5D",
        "AUTH_SERVICE_HOST": "auth01.internal.example",
        "TOKEN_ENDPOINT": "tokens-01.internal:8443",
        "MODEL": "Qwen3-235B-A22B-Thinking",
        "OPENAI_MODEL_NAME": "DeepSeekR1Distill32B",
        "PWD": "/srv/crew01",
    }
    redactor = Redactor()
    redactor.learn_environment(environment)

    shown = {name: redactor.redact(f"tried {value}!") for name, value in environment.items()}

    assert {name for name, text in shown.items() if text == f"tried {MASK}!"} == {"VAULT_PIN", "PARTNER"}
    assert all(text == f"tried {environment[name]}!" for name, text in shown.items() if MASK not in text)


def test_a_dotenv_file_teaches_as_the_environment_does(tmp_path, monkeypatch):
    monkeypatch.setattr(redact, "_shared", Redactor())
    (tmp_path / ".env").write_text(
        "# DB_PASSWORD=of-long-ago-1\nexport DB_PASSWORD='p w#12345' # new\nA_KEY=abc-123456 # x\n"
    )

    redact.learn_file(tmp_path / ".env")
    redact.learn_file(tmp_path / "none")

    assert redact.redact("p w#12345 abc-123456 of-long-ago-1") == f"{MASK} {MASK} of-long-ago-1"


def test_json_members_are_masked_by_name_and_numbers_stay():
    value = {"headers": {"Cookie": "a=b", "X-Api-Key": "short"}, "tokens": 12, "first_token": 0.4, "api_key": True}

    redacted = Redactor().redact_json(value)

    assert redacted == {
        "headers": {"Cookie": MASK, "X-Api-Key": MASK},
        "tokens": 12,
        "first_token": 0.4,
        "api_key": True,
    }
    assert json.dumps(redacted)


def test_clean_gives_one_printable_line():
    assert clean("a\x1b[31mred\nb\u202ec\udc80d\x00") == "a\\x1b[31mred b\\u202ec\\udc80d\\x00"
    assert clean("plain - büro √") == "plain - büro √"
