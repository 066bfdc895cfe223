import pytest

from crewdoctor.worker.client_settings import usable
from crewdoctor.worker.hosts import endpoint, is_near, merged

ENDPOINTS = [
    ("https://api.example.com/v1", "host:api.example.com:443"),
    ("http://user:secret@h:81/x?y=1", "host:h:81"),
    ("postgresql+psycopg://u:p@db/x", "host:db:5432"),
    ("http://[::1]:8080/", "host:[::1]:8080"),
    ("HTTP://Upper.example", "host:upper.example:80"),
    ("tcp://mail.example:25", "host:mail.example:25"),
    ("tcp://mail.example", None),
    ("http://{...}/x", None),
    ("http://h:{...}/x", None),
    ("ftp://h/x", None),
    ("not a url", None),
    ("http://", None),
]


@pytest.mark.parametrize(("url", "subject"), ENDPOINTS)
def test_an_endpoint_is_a_host_and_port_that_is_known(url, subject):
    found = endpoint(url, "tool")
    assert (found.subject if found else None) == subject


def test_a_proxy_has_a_subject_of_its_own_and_needs_no_scheme():
    found = endpoint("proxy.corp:3128", "proxy")
    assert (found.subject, found.scheme) == ("proxy:proxy.corp:3128", "http")


def test_users_and_clients_of_one_endpoint_are_put_together():
    first = endpoint("http://h/a", "tool", used_by=("a",), clients=("requests",))
    second = endpoint("http://h/b", "tool", used_by=("b", "a"), clients=("httpx",))
    (found,) = merged([first, None, second])
    assert found.used_by == ("a", "b")
    assert found.clients == ("requests", "httpx")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "10.1.2.3", "ollama", "llm.svc.cluster.local"])
def test_near_hosts(host):
    assert is_near(host)


@pytest.mark.parametrize("host", ["api.openai.com", "8.8.8.8", "local.example"])
def test_far_hosts(host):
    assert not is_near(host)


KEYS = [
    ("sk-abc", "api.openai.com", True),
    ("fake", "api.openai.com", True),
    ("", "api.openai.com", False),
    ("  ", "localhost", False),
    ("<your key>", "api.openai.com", False),
    ("your-api-key", "api.openai.com", False),
    ("${OPENAI_API_KEY}", "api.openai.com", False),
    ("your-api-key", "localhost", True),
]


@pytest.mark.parametrize(("key", "host", "expected"), KEYS)
def test_a_key_is_usable_unless_it_is_plainly_none(key, host, expected):
    assert usable(key, host) is expected
