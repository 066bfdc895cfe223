"""Fixes as code to paste: how each client library is told how long it may wait."""

from __future__ import annotations

import re

from crewdoctor.model.finding import Fix

_REQUESTS = "requests.get(url, timeout=(3.05, {read}))  # seconds to connect, seconds between reads"
_CODE = {
    "requests": _REQUESTS,
    "httpx": "httpx.get(url, timeout=httpx.Timeout({read}, connect=3.0))",
    "httpx2": "httpx2.get(url, timeout=httpx2.Timeout({read}, connect=3.0))",
    "aiohttp": "aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total={total}, sock_connect=3, sock_read={read}))",
    "urllib": "urllib.request.urlopen(url, timeout={read})",
    "urllib3": "urllib3.PoolManager(timeout=urllib3.Timeout(connect=3.0, read={read}))",
    "http.client": "http.client.HTTPSConnection(host, timeout={read})",
    "socket": "socket.create_connection((host, port), timeout={read})",
    "smtplib": "smtplib.SMTP(host, timeout={read})",
    "ftplib": "ftplib.FTP(host, timeout={read})",
    "subprocess": "subprocess.run(command, timeout={read}, check=True)",
    "queue": "queue.get(timeout={read})",
    "lock": "lock.acquire(timeout={read})  # a thread that takes it twice needs threading.RLock()",
    "sqlite3": "sqlite3.connect(path, timeout=5)  # and commit before anything slow, wherever it is written to",
    "threading": "lock.acquire(timeout={read})",
    "openai": "OpenAI(timeout={read}, max_retries=1)  # the client the tool calls",
    "future": "future.result(timeout={read})",
    "psycopg": 'psycopg.connect(dsn, connect_timeout=3, options="-c statement_timeout={read}s")',
    "pymysql": "pymysql.connect(host=host, connect_timeout=3, read_timeout={read}, write_timeout={read})",
    "pymongo": "pymongo.MongoClient(uri, timeoutMS={read}000)",
    "kafka": "consumer.poll(timeout={read})",
    "paramiko": "client.connect(host, timeout=3, banner_timeout=10, auth_timeout=10)",
    "redis": "redis.Redis(host=host, socket_timeout={read}, socket_connect_timeout=3)",
}


_TITLES = {
    "sqlite3": "Find who keeps its transaction open, and wait less for it",
    "lock": "See who holds the lock, and wait for it with a limit",
}
_CLIENT = re.compile(r"\b((?:httpx2?\.)?(?:Async)?Client)\(")
_AWAIT = re.compile(r"\bawait ([A-Za-z_][^:#]*[\w)])$")
_METHOD = re.compile(r"\b((?!os\.)[A-Za-z_][\w.]*\.(?:get|post|put|patch|delete|head|options|request|stream|send))\(")
_DRAINED = {
    "requests": (
        "deadline = time.monotonic() + {total}\n"
        "with requests.get(url, timeout=(3.05, {read}), stream=True) as response:\n"
        "    for part in response.iter_content(1):\n"
        "        if time.monotonic() > deadline:\n"
        "            raise TimeoutError(url)"
    ),
    "httpx": (
        "deadline = time.monotonic() + {total}\n"
        'with httpx.stream("GET", url, timeout={read}) as response:\n'
        "    for part in response.iter_bytes():\n"
        "        if time.monotonic() > deadline:\n"
        "            raise TimeoutError(url)"
    ),
    "aiohttp": "aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total={total}))",
}


def written_call(source: str) -> str:
    """The call of an HTTP client in a line of source, as written: `client.get`, `httpx.Client`; empty for none."""
    found = _METHOD.search(source) or _CLIENT.search(source)
    return found[1] if found else ""


def written_await(source: str) -> str:
    """What a line of source awaits: `done.wait()`; empty where it awaits nothing that ends on this line."""
    found = _AWAIT.search(source)
    return found[1] if found and found[1].count("(") == found[1].count(")") else ""


def bounded_call(client: str, call: str = "", read: int = 20) -> Fix:
    """Give the call a limit, in the words of its client; `call` as the user wrote it: `session.get`, `f.result`."""
    text = _CODE.get(client, _REQUESTS)
    method = call.rpartition(".")[2]
    if client in {"requests", "httpx", "httpx2"} and _METHOD.fullmatch(f"{call}("):
        url = "method, url" if method in {"request", "stream"} else "request" if method == "send" else "url"
        text = text.replace(f"{client}.get(url", f"{call}({url}", 1)
    elif client in {"httpx", "httpx2"} and _CLIENT.fullmatch(f"{call}("):
        text = text.replace(f"{client}.get(url, ", f"{call}(", 1)
    elif client in {"queue", "future"} and method in {"get", "result"}:
        text = f"{call}(timeout={{read}})"
    elif client == "asyncio":
        text = f"await asyncio.wait_for({call}, timeout={{read}})"
    title = _TITLES.get(client, f"Give the call a timeout of {read} s")
    return Fix(title, text.format(read=read, total=read * 3))


def drained(client: str, read: int = 20) -> Fix:
    """Give the whole answer a limit, where each read has one already."""
    text = _DRAINED.get(client, _DRAINED["requests"])
    return Fix(f"Give the whole answer {read * 3} s, not only each read", text.format(read=read, total=read * 3))
