"""What a client says it would do, against what it does: real requests, a real proxy, a real service."""

import importlib.util
import sys
import urllib.request
from pathlib import Path

import httpx
import pytest
import requests

from crewdoctor.net.clients import STORES, every_store, proxy_choice, trust_store

LAB = Path(__file__).parents[1] / "lab"


def lab(name):
    spec = importlib.util.spec_from_file_location(f"lab_{name}", LAB / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def proxy():
    server = lab("proxy").Proxy()
    yield server
    server.close()


@pytest.fixture
def service():
    server = lab("services").service("127.0.3.1")
    yield server
    server.shutdown()
    server.server_close()


def by_urllib(url):
    # urlopen keeps the opener of its first call, proxies included.
    with urllib.request.build_opener().open(url, timeout=10) as answer:
        return answer.status


CLIENTS = {
    "httpx": lambda url: httpx.get(url).status_code,
    "requests": lambda url: requests.get(url, timeout=10).status_code,
    "urllib": by_urllib,
}
FORMS = [
    "",
    "127.0.3.1",
    "127.0.3.0/24",
    "127.0.3.1:{port}",
    "*",
    ".0.3.1",
    "*.3.1",
    "elsewhere, 127.0.3.1",
    "a 127.0.3.1",
]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("form", FORMS)
def test_the_answer_is_what_the_library_then_does(client, form, proxy, service, monkeypatch):
    clean(monkeypatch)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", form.format(port=service.server_port))
    url = f"http://127.0.3.1:{service.server_port}/"

    choice = proxy_choice(client, url)
    error = ""
    try:
        assert CLIENTS[client](url) == 200
    except Exception as raised:
        error = str(raised)

    if choice.error:
        assert error
    else:
        assert error == ""
        assert (choice.proxy is not None) == bool(proxy.asked)
        assert choice.proxy in (None, proxy.url)


def test_the_openai_sdk_goes_the_way_of_the_library_it_rides_on(proxy, service, monkeypatch):
    import openai

    clean(monkeypatch)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    url = f"http://127.0.3.1:{service.server_port}/"

    with openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=10) as client:
        assert client.models.with_raw_response.list().http_response.status_code == 200
    # httpx ignores a range in NO_PROXY, httpx2 (openai 3) heeds it
    assert proxy_choice("openai", url).proxy == (proxy.url if proxy.asked else None)


def test_a_socks_proxy_without_its_extra_is_an_answer(monkeypatch):
    clean(monkeypatch)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")

    for client, module, package in (("httpx", "socksio", "socksio"), ("requests", "socks", "PySocks")):
        choice = proxy_choice(client, "https://api.example/")

        if importlib.util.find_spec(module):
            assert choice.proxy == "socks5://127.0.0.1:1080"
        else:
            assert "SOCKS" in choice.error
            assert (choice.missing, choice.variable) == (package, "ALL_PROXY")


def test_credentials_reach_the_probe(monkeypatch):
    clean(monkeypatch)
    monkeypatch.setenv("HTTPS_PROXY", "http://user:pw@127.0.0.1:3128")

    assert proxy_choice("httpx", "https://api.example/").proxy == "http://user:pw@127.0.0.1:3128"
    assert proxy_choice("requests", "https://api.example/").proxy == "http://user:pw@127.0.0.1:3128"


@pytest.mark.parametrize("client", ["aiohttp", "psycopg"])
def test_clients_that_read_no_proxy_variables_go_direct(client, monkeypatch):
    clean(monkeypatch)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")

    assert proxy_choice(client, "https://api.example/").proxy is None


def test_each_client_has_its_own_trust_store(monkeypatch):
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    bundle = requests.certs.where()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)

    labels = {client: trust_store(client).label for client in ("httpx", "requests", "urllib", "aiohttp")}

    assert labels == {"httpx": "certifi", "requests": "env REQUESTS_CA_BUNDLE", "urllib": "system", "aiohttp": "system"}
    assert trust_store("requests").context().get_ca_certs()


def test_a_client_says_which_variable_would_move_its_store(monkeypatch):
    for name in STORES:
        monkeypatch.delenv(name, raising=False)

    reads = {client: trust_store(client).reads[0] for client in ("httpx", "openai", "requests", "urllib", "aiohttp")}

    assert reads.pop("requests") == "REQUESTS_CA_BUNDLE"
    assert set(reads.values()) == {"SSL_CERT_FILE"}


@pytest.mark.skipif(not importlib.util.find_spec("httpx2"), reason="httpx2 is not installed")
def test_httpx2_takes_the_systems_store(monkeypatch):
    for name in STORES:
        monkeypatch.delenv(name, raising=False)

    assert trust_store("httpx2").label == "system"


def test_every_store_is_named_once_and_the_systems_own_is_not_moved_by_a_variable(monkeypatch):
    for name in STORES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", requests.certs.where())

    stores = {store.label: store.path for store in every_store()}

    assert list(stores) == ["env SSL_CERT_FILE", "certifi", "system"]
    assert stores["system"] != requests.certs.where()


def clean(monkeypatch):
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".upper(), raising=False)
