"""Fixes as code to paste: how each client library is told how long it may wait."""

from __future__ import annotations

import ast
import re

from crewdoctor import wording
from crewdoctor.model.finding import Fix
from crewdoctor.model.setting import Location, Setting
from crewdoctor.own_line import with_keywords

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
    "botocore": "boto3.client(name, config=Config(connect_timeout=3, read_timeout={read}))",
    "grpc": "stub.Method(request, timeout={read})  # the deadline of the whole call, connecting included",
    "websockets": "connection.recv(timeout={read})",
    "flock": "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises BlockingIOError; try again for {read} s",
    "file": "ready, _, _ = select.select([file], [], [], {read})",
    "gil": 'subprocess.run([sys.executable, "-c", program], timeout={read}, check=True)',
    "redis": "redis.Redis(host=host, socket_timeout={read}, socket_connect_timeout=3)",
}
_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "request", "stream", "send"})
_TAKES = {
    "requests": (_VERBS, "(3.05, {read})"),
    "httpx": (_VERBS | {"Client", "AsyncClient"}, "{module}.Timeout({read}, connect=3.0)"),
    "httpx2": (_VERBS | {"Client", "AsyncClient"}, "{module}.Timeout({read}, connect=3.0)"),
    "aiohttp": (_VERBS | {"ClientSession"}, "aiohttp.ClientTimeout(total={total}, sock_connect=3, sock_read={read})"),
    "urllib": (frozenset({"urlopen"}), "{read}"),
    "urllib3": (frozenset({"request", "urlopen", "PoolManager"}), "{read}"),
    "http.client": (frozenset({"HTTPConnection", "HTTPSConnection"}), "{read}"),
    "socket": (frozenset({"create_connection"}), "{read}"),
    "smtplib": (frozenset({"SMTP", "SMTP_SSL"}), "{read}"),
    "ftplib": (frozenset({"FTP", "FTP_TLS"}), "{read}"),
    "subprocess": (frozenset({"run", "call", "check_call", "check_output", "communicate", "wait"}), "{read}"),
    "queue": (frozenset({"get"}), "{read}"),
    "future": (frozenset({"result"}), "{read}"),
    "openai": (frozenset({"OpenAI", "AsyncOpenAI", "create"}), "{read}"),
}
"""Calls of a client that take `timeout=` themselves, and what it is then."""
_CONNECT = {
    "requests": "requests.get(url, timeout=(5, 60))  # seconds to connect, seconds between reads",
    "httpx": "httpx.get(url, timeout=httpx.Timeout(60, connect=5))",
    "httpx2": "httpx2.get(url, timeout=httpx2.Timeout(60, connect=5))",
    "aiohttp": "aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60, sock_connect=5))",
    "urllib": "urllib.request.urlopen(url, timeout=5)  # to connect, and between reads",
    "urllib3": "urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=60))",
    "http.client": "http.client.HTTPSConnection(host, timeout=5)  # to connect, and between reads",
    "socket": "socket.create_connection((host, port), timeout=5)",
    "smtplib": "smtplib.SMTP(host, timeout=5)",
    "redis": "redis.Redis(host=host, socket_connect_timeout=5)",
    "psycopg": "psycopg.connect(dsn, connect_timeout=5)",
    "pymysql": "pymysql.connect(host=host, connect_timeout=5)",
    "pymongo": "pymongo.MongoClient(uri, serverSelectionTimeoutMS=5000)",
    "openai": "OpenAI(timeout=httpx.Timeout(60, connect=5))  # the client the tool calls",
}
"""Seconds to connect, in the words of each client."""
_TITLES = {
    "sqlite3": "Find who keeps its transaction open, and wait less for it",
    "lock": "See who holds the lock, and wait for it with a limit",
    "flock": "Try the lock without waiting, and give up after a while",
    "file": "Wait until there is something to read, with a limit",
    "gil": "Run it in a process of its own, which can be ended",
}
_FILE_LOCKS = re.compile(r"\b(?:fcntl\.)?(?:flock|lockf)\(")
_CLIENT = re.compile(r"\b((?:httpx2?\.)?(?:Async)?Client)\(")
_WAIT_FOR = re.compile(r"asyncio\.wait_for\((.+), (?:timeout=)?[^,()]+\)$")
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


def of_file(source: str) -> str:
    """Which file call a line of source waits in: `flock` for a lock on it, else `file`."""
    return "flock" if _FILE_LOCKS.search(source) else "file"


def written_await(source: str) -> str:
    """What a line of source awaits: `done.wait()`; empty where it awaits nothing that ends on this line."""
    found = _AWAIT.search(source)
    return found[1] if found and found[1].count("(") == found[1].count(")") else ""


def bounded_call(client: str, call: str = "", read: int = 20, at: Location | None = None) -> Fix:
    """Give the call a limit, in the words of its client; `call` as the user wrote it: `session.get`, `f.result`.

    `at`: the line it stands on, which is then shown with nothing but the limit added.
    """
    title = _TITLES.get(client, f"Give the call a timeout of {read} s")
    own = _own_line(client, call, read, at) if at is not None else ""
    if own:
        return Fix(title, own)
    text = _CODE.get(client, _REQUESTS)
    method = call.rpartition(".")[2]
    if client in {"requests", "httpx", "httpx2"} and _METHOD.fullmatch(f"{call}("):
        url = "method, url" if method in {"request", "stream"} else "request" if method == "send" else "url"
        text = text.replace(f"{client}.get(url", f"{call}({url}", 1)
    elif client in {"httpx", "httpx2"} and _CLIENT.fullmatch(f"{call}("):
        text = text.replace(f"{client}.get(url, ", f"{call}(", 1)
    elif client in {"queue", "future"} and method in {"get", "result"}:
        text = f"{call}(timeout={{read}})"
    elif client == "asyncio" and (bounded := _WAIT_FOR.match(call)):
        text = f"await asyncio.wait_for({bounded[1]}, timeout={{read}})"
    elif client == "asyncio":
        text = f"await asyncio.wait_for({call}, timeout={{read}})"
    return Fix(title, text.format(read=read, total=read * 3))


def _own_line(client: str, call: str, read: int, at: Location) -> str:
    calls, value = _TAKES.get(client, (frozenset(), ""))

    def wanted(node: ast.Call) -> bool:
        written = ast.unparse(node.func)
        return written == call if call else written.rpartition(".")[2] in calls

    if not calls or (call and call.rpartition(".")[2] not in calls):
        return ""
    source = at.statement or at.source
    if "{module}" in value:  # a bare number says the same where the module has another name here
        value = value if f"{client}." in source else "{read}"
    value = value.format(module=client, read=read, total=read * 3)
    return with_keywords(source, wanted, {"timeout": value})


def bounded_connect(client: str) -> str:
    """How a client is told not to wait long for a connection; empty where it is none of those we know."""
    return _CONNECT.get(client, "")


def roomier(setting: Setting, wanted: int, longest: float, retries: Setting | None, replaced: str = "") -> Fix:
    """A model's timeout of `wanted` s where it is written, its other arguments kept; one retry where nobody chose.

    `replaced` is the code for a model whose class does not take one.
    """
    chosen = retries is not None and retries.written
    keywords = {"timeout": str(wanted)} | ({} if chosen else {"max_retries": "1"})
    location, origin = setting.provenance.location, setting.provenance.origin
    title = f"Allow {wanted} s, with room above the longest wait of {wording.seconds(longest)}"
    if location is not None and origin == "dotenv" and "=" in location.source:
        return Fix(title, f"{location.source.partition('=')[0]}={wanted}", "sh")
    if replaced:
        return Fix(f"{title}, and bound the attempts", replaced)
    title += "" if chosen else ", and bound the attempts"
    if location is not None and origin == "yaml":
        return Fix(title, "\n".join(f"{name}: {value}" for name, value in keywords.items()), "yaml")

    def written(node: ast.Call) -> bool:
        return any(each.arg == "timeout" for each in node.keywords)

    own = with_keywords(location.statement or location.source, written, keywords) if location else ""
    return Fix(title, own or f"LLM(..., {', '.join(f'{name}={value}' for name, value in keywords.items())})")


def drained(client: str, read: int = 20) -> Fix:
    """Give the whole answer a limit, where each read has one already."""
    text = _DRAINED.get(client, _DRAINED["requests"])
    return Fix(f"Give the whole answer {read * 3} s, not only each read", text.format(read=read, total=read * 3))
