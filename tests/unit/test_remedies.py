import ast

import pytest

from crewdoctor.remedies import bounded_call, drained, written_await, written_call

FIXES = [
    ("requests", "requests.post", "requests.post(url, timeout=(3.05, 20))"),
    ("requests", "session.get", "session.get(url, timeout=(3.05, 20))"),
    ("requests", "subprocess.run", "requests.get(url, timeout=(3.05, 20))"),
    ("requests", "", "requests.get(url, timeout=(3.05, 20))"),
    ("httpx", "client.get", "client.get(url, timeout=httpx.Timeout(20, connect=3.0))"),
    ("httpx", "self.http.request", "self.http.request(method, url, timeout=httpx.Timeout(20, connect=3.0))"),
    ("httpx", "httpx.AsyncClient", "httpx.AsyncClient(timeout=httpx.Timeout(20, connect=3.0))"),
    ("openai", "client.chat.completions.create", "OpenAI(timeout=20, max_retries=1)"),
    ("queue", "_answers.get", "_answers.get(timeout=20)"),
    ("future", "f.result", "f.result(timeout=20)"),
    ("asyncio", "done.wait()", "await asyncio.wait_for(done.wait(), timeout=20)"),
    ("asyncio", "asyncio.wait_for(done.wait(), 60)", "await asyncio.wait_for(done.wait(), timeout=20)"),
    ("flock", "", "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)"),
    ("file", "", "ready, _, _ = select.select([file], [], [], 20)"),
    ("gil", "", 'subprocess.run([sys.executable, "-c", program], timeout=20, check=True)'),
    ("sqlite3", "db.execute", "sqlite3.connect(path, timeout=5)"),
]


@pytest.mark.parametrize(("client", "call", "code"), FIXES)
def test_a_fix_is_in_the_words_of_the_client_and_the_user(client, call, code):
    assert bounded_call(client, call).code.split("  #")[0] == code


@pytest.mark.parametrize("client", ["requests", "httpx", "aiohttp", "urllib"])
def test_a_limit_for_the_whole_answer_is_python(client):
    ast.parse(drained(client).code)


@pytest.mark.parametrize(
    ("source", "call"),
    [
        ('r = await client.get("http://x/", params={"q": 1})', "client.get"),
        ("return self.session.request(method, url)", "self.session.request"),
        ('client = httpx.Client(timeout=float(os.environ["LIMIT"]))', "httpx.Client"),
        ("data = socket.recv(10)", ""),
        ("", ""),
    ],
)
def test_the_call_is_read_from_its_line(source, call):
    assert written_call(source) == call


@pytest.mark.parametrize(
    ("source", "awaited"),
    [
        ("await done.wait()", "done.wait()"),
        ("item = await self.queue.get()", "self.queue.get()"),
        ("with lock:", ""),
        ("return await answer", "answer"),
        ("await asyncio.wait({loop.create_future()})", "asyncio.wait({loop.create_future()})"),
        ("await gather(", ""),
        ("print(await answer, 1)", ""),
    ],
)
def test_what_is_awaited_is_read_from_its_line(source, awaited):
    assert written_await(source) == awaited
