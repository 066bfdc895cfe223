import textwrap

import pytest

from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Seconds
from crewdoctor.scan.reach import Known, reachable


def scan(tmp_path, text, known=None, **others):
    for name, source in others.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
    file = tmp_path / "tools.py"
    file.write_text(textwrap.dedent(text))
    line = next(number for number, held in enumerate(file.read_text().splitlines(), 1) if "def tool(" in held)
    return reachable(str(file), line, known or Known())


WAITS = [
    ("import requests", "requests.get(u)", "requests", UNLIMITED),
    ("import requests as r", "r.get(u, timeout=3)", "requests", Seconds(3.0)),
    ("import requests", "requests.get(u, timeout=None)", "requests", UNLIMITED),
    ("import requests", "requests.get(u, timeout=(1, 8))", "requests", Seconds(8.0)),
    ("import requests", "requests.get(u, timeout=(1, None))", "requests", UNLIMITED),
    ("import requests", "requests.get(u, timeout=limit())", "requests", UNKNOWN),
    ("import requests", "requests.get(u, **options)", "requests", UNKNOWN),
    ("import requests", "requests.get(u, **{'timeout': 4})", "requests", Seconds(4.0)),
    ("from requests import post", "post(u)", "requests", UNLIMITED),
    ("import requests\nS = requests.Session()", "S.get(u)", "requests", UNLIMITED),
    ("import requests", "requests.Session().get(u, timeout=2)", "requests", Seconds(2.0)),
    ("import requests\nLIMIT = 2 * 60", "requests.get(u, timeout=LIMIT)", "requests", Seconds(120.0)),
    ("import httpx", "httpx.get(u)", "httpx", Seconds(5.0)),
    ("import httpx", "httpx.get(u, timeout=None)", "httpx", UNLIMITED),
    ("import httpx\nC = httpx.Client(timeout=httpx.Timeout(9, read=20))", "C.get(u)", "httpx", Seconds(20.0)),
    ("import httpx\nC = httpx.Client(timeout=9)", "C.get(u, timeout=1)", "httpx", Seconds(1.0)),
    ("import httpx", "with httpx.Client() as c:\n        c.post(u)", "httpx", Seconds(5.0)),
    ("from urllib.request import urlopen", "urlopen(u)", "urllib", UNLIMITED),
    ("import urllib.request", "urllib.request.urlopen(u, None, 6)", "urllib", Seconds(6.0)),
    ("import subprocess", "subprocess.run(['a'])", "subprocess", UNLIMITED),
    ("import subprocess", "subprocess.run(['a'], timeout=5)", "subprocess", Seconds(5.0)),
    ("import subprocess", "p = subprocess.Popen(['a']); p.wait(3)", "subprocess", Seconds(3.0)),
    ("import subprocess", "p = subprocess.Popen(['a']); p.communicate()", "subprocess", UNLIMITED),
    ("import socket", "socket.create_connection(('h', 1), 3)", "socket", Seconds(3.0)),
    ("import smtplib", "smtplib.SMTP('h')", "smtplib", UNLIMITED),
    ("import smtplib", "smtplib.SMTP('h', timeout=3)", "smtplib", Seconds(3.0)),
    ("import psycopg", "psycopg.connect('postgresql://h/d', connect_timeout=3)", "psycopg", UNLIMITED),
    (
        "import psycopg",
        "psycopg.connect('postgresql://h/d', options='-c statement_timeout=5000')",
        "psycopg",
        Seconds(5.0),
    ),
    ("import sqlite3", "with sqlite3.connect('a.db') as d:\n        d.execute('SELECT 1')", "sqlite3", Seconds(5.0)),
    ("import sqlite3", "sqlite3.connect('a.db', timeout=30).execute('SELECT 1')", "sqlite3", Seconds(30.0)),
    ("import redis\nR = redis.Redis(socket_timeout=2)", "R.get('k')", "redis", Seconds(2.0)),
    ("import redis\nR = redis.Redis()", "R.get('k')", "redis", UNLIMITED),
    ("import boto3\nB = boto3.client('s3')", "B.get_object(Key=u)", "boto3", Seconds(60.0)),
    (
        "import boto3\nfrom botocore.config import Config\nB = boto3.client('s3', config=Config(read_timeout=7))",
        "B.get_object(Key=u)",
        "boto3",
        Seconds(7.0),
    ),
    ("import openai\nO = openai.OpenAI()", "O.chat.completions.create(model='m')", "openai", Seconds(600.0)),
    ("import openai\nO = openai.OpenAI(timeout=9)", "O.chat.completions.create(model='m')", "openai", Seconds(9.0)),
    ("import pymongo\nM = pymongo.MongoClient(timeoutMS=1500)", "M.db.things.find_one()", "pymongo", Seconds(1.5)),
    ("import queue\nQ = queue.Queue()", "Q.get()", "queue", UNLIMITED),
    ("import queue\nQ = queue.Queue()", "Q.get(True, 2)", "queue", Seconds(2.0)),
    ("import threading\nE = threading.Event()", "E.wait()", "threading", UNLIMITED),
    ("from helper import pool", "f = pool.submit(print); f.result(timeout=4)", "future", Seconds(4.0)),
]


@pytest.mark.parametrize(("head", "call", "client", "limit"), WAITS, ids=[call for _, call, _, _ in WAITS])
def test_the_limit_in_force_is_read_as_written(tmp_path, head, call, client, limit):
    waits = scan(tmp_path, f"{head}\n\ndef tool(u, options=None):\n    {call}\n")
    assert [(each.client, each.limit.read) for each in waits] == [(client, limit)]


QUIET = ["d = {}; d.get(u)", "u.get(1)", "self.get(u)", "requests = u; requests.get(u)", "print(u)", "open(u).read()"]


@pytest.mark.parametrize("call", QUIET)
def test_what_only_looks_like_a_wait_is_not_one(tmp_path, call):
    assert scan(tmp_path, f"def tool(u):\n    {call}\n") == ()


def test_aiohttp_sessions_are_followed(tmp_path):
    text = """
        import aiohttp

        async def tool(u):
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_read=6)) as session:
                async with session.get(u) as answer:
                    return await answer.text()
        """
    (wait,) = scan(tmp_path, text)
    assert wait.limit.read == Seconds(6.0)
    assert wait.limit.connect is UNLIMITED


def test_calls_are_followed_into_the_users_own_modules(tmp_path):
    text = "from helper import fetch\nimport other\n\ndef tool(u):\n    fetch(u)\n    other.ask(u)\n"
    helper = "import requests\n\ndef fetch(u):\n    return deeper(u)\n\ndef deeper(u):\n    return requests.get(u)\n"
    other = "import requests\n\ndef ask(u, timeout=11):\n    return requests.get(u, timeout=timeout)\n"
    waits = scan(tmp_path, text, helper=helper, other=other)
    assert [(each.location.function, each.limit.read) for each in waits] == [
        ("ask", Seconds(11.0)),
        ("deeper", UNLIMITED),
    ]


def test_methods_and_attributes_of_a_tool_are_followed(tmp_path):
    text = """
        import requests

        class Tool:
            limit = 4

            def __init__(self):
                self.session = requests.Session()

            def tool(self, u):
                return self.ask(u)

            def ask(self, u):
                return self.session.get(u, timeout=self.limit)
        """
    (wait,) = scan(tmp_path, text)
    assert wait.limit.read == Seconds(4.0)
    (wait,) = scan(tmp_path, text, Known(attributes={"limit": 9}))
    assert wait.limit.read == Seconds(9.0)


def test_live_values_beat_what_the_source_cannot_say(tmp_path):
    text = "import requests\nfrom settings import LIMIT\n\ndef tool(u):\n    requests.get(u, timeout=LIMIT)\n"
    assert scan(tmp_path, text)[0].limit.read is UNKNOWN
    (wait,) = scan(tmp_path, text, Known(live=lambda _: {"LIMIT": 13}))
    assert wait.limit.read == Seconds(13.0)


URLS = [
    ("requests.get(f'{BASE}/x/{u}')", "http://h.example:81/x/{...}"),
    ("requests.get(BASE + '/x')", "http://h.example:81/x"),
    ("requests.get(url=BASE)", "http://h.example:81"),
    ("requests.request('GET', BASE)", "http://h.example:81"),
    ("requests.get('http://v.example/%s' % u)", "http://v.example/{...}"),
    ("requests.get(os.environ['UNSET_HOST'])", ""),
    ("requests.get(os.getenv('UNSET_HOST', 'http://d.example'))", "http://d.example"),
    ("requests.get(u)", ""),
]


@pytest.mark.parametrize(("call", "url"), URLS)
def test_urls_are_followed_as_far_as_they_go(tmp_path, monkeypatch, call, url):
    monkeypatch.delenv("UNSET_HOST", raising=False)
    (wait,) = scan(tmp_path, f"import os\nimport requests\nBASE = 'http://h.example:81'\n\ndef tool(u):\n    {call}\n")
    assert wait.url == url


def test_broken_source_is_nothing_to_scan(tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("def tool(:\n")
    assert reachable(str(file), 1, Known()) == ()
    assert reachable(str(tmp_path / "absent.py"), 1, Known()) == ()


def test_functions_that_call_each_other_end(tmp_path):
    text = "import requests\n\ndef tool(u):\n    other(u)\n\ndef other(u):\n    tool(u)\n    requests.get(u)\n"
    assert len(scan(tmp_path, text)) == 1
