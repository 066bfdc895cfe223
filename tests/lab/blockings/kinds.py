"""Ways of blocking, each as a tool a user could have written. The line that waits is marked `# waits`."""

from dataclasses import dataclass

SLOW_NAME = "slow.lab.example"
MARK = "# waits"


@dataclass(frozen=True)
class Kind:
    """One way. `body`: the tool's lines, with the ports of the servers put in; `peer`: what it waits for, likewise."""

    name: str
    body: str
    waiting: tuple[str, ...]
    peer: str = ""
    timeout: float | None = None
    """In force, seconds; None: no limit."""
    unlimited: bool = False
    """No limit is in force, and it must be said."""
    received: bool = False
    """Some of the answer had come."""
    within: float = 0.1
    """How exactly the limit is known."""
    needs: str = ""
    """A package that must be there."""
    asynchronous: bool = False


KINDS = (
    Kind("headers", "import requests\nrequests.get('{silent}')  # waits", ("recv",), "{silent_peer}", unlimited=True),
    Kind(
        "headers_httpx",
        "import httpx\nhttpx.get('{silent}', timeout=300)  # waits",
        ("recv",),
        "{silent_peer}",
        timeout=300,
    ),
    Kind(
        "body",
        "import urllib.request\n"
        "answer = urllib.request.urlopen('{stalls}', timeout=600)\n"
        "return answer.read().decode()  # waits",
        ("recv",),
        "{stalls_peer}",
        timeout=600,
        received=True,
    ),
    Kind("tls", "import requests\nrequests.get('{silent_tls}', timeout=400)  # waits", ("tls",), "{silent_peer}", 400),
    Kind(
        "tls_async",
        "import httpx\n"
        "async with httpx.AsyncClient(timeout=250) as client:\n"
        "    await client.get('{silent_tls}')  # waits",
        ("tls",),
        "{silent_peer}",
        timeout=250,
        asynchronous=True,
    ),
    Kind(
        "connect",
        "import socket\nsocket.create_connection(('127.0.0.1', {deaf}))  # waits",
        ("connect",),
        "127.0.0.1:{deaf}",
        unlimited=True,
    ),
    Kind(
        "connect_httpx",
        "import httpx\nhttpx.get('http://127.0.0.1:{deaf}/', timeout=200)  # waits",
        ("connect",),
        "127.0.0.1:{deaf}",
        timeout=200,
    ),
    Kind(
        "name",
        f"import requests\nrequests.get('http://{SLOW_NAME}/', timeout=5)  # waits",
        ("dns",),
        SLOW_NAME,
    ),
    Kind(
        "socket",
        "import socket\n"
        "line = socket.create_connection(('127.0.0.1', {silent_port}), timeout=5)\n"
        "line.settimeout(None)\n"
        "line.sendall(b'hello')\n"
        "return line.recv(100).decode()  # waits",
        ("recv",),
        "{silent_peer}",
        unlimited=True,
    ),
    Kind(
        "poll",
        "import select, socket\n"
        "line = socket.create_connection(('127.0.0.1', {silent_port}), timeout=5)\n"
        "watch = select.poll()\n"
        "watch.register(line, select.POLLIN)\n"
        "watch.poll()  # waits",
        ("recv",),
        "{silent_peer}",
        unlimited=True,
    ),
    Kind(
        "select",
        "import select, socket\n"
        "line = socket.create_connection(('127.0.0.1', {silent_port}), timeout=5)\n"
        "select.select([line], [], [])  # waits",
        ("recv",),
        "{silent_peer}",
        unlimited=True,
    ),
    Kind(
        "lock",
        "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()  # waits",
        ("lock",),
        unlimited=True,
    ),
    Kind(
        "two_locks",
        "import threading, time\n"
        "one, two = threading.Lock(), threading.Lock()\n"
        "def other():\n"
        "    with two:\n"
        "        time.sleep(0.2)\n"
        "        with one:\n"
        "            pass\n"
        "thread = threading.Thread(target=other)\n"
        "with one:\n"
        "    thread.start()\n"
        "    time.sleep(0.4)\n"
        "    with two:  # waits\n"
        "        pass",
        ("lock",),
        unlimited=True,
    ),
    Kind("condition", "import threading\nthreading.Event().wait(900)  # waits", ("lock",), timeout=900),
    Kind("queue", "import queue\nqueue.Queue().get()  # waits", ("queue",), unlimited=True),
    Kind(
        "queue_of_processes",
        "import multiprocessing\nmultiprocessing.get_context('spawn').Queue().get()  # waits",
        ("queue",),
    ),
    Kind(
        "future",
        "from concurrent.futures import Future\nFuture().result(500)  # waits",
        ("lock",),
        timeout=500,
    ),
    Kind(
        "pool",
        "import requests\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def ask(number):\n"
        "    return requests.get('{silent}', timeout=800).text  # waits\n"
        "with ThreadPoolExecutor(2) as pool:\n"
        "    return ''.join(pool.map(ask, range(2)))",
        ("recv",),
        "{silent_peer}",
        timeout=800,
    ),
    Kind(
        "join",
        "import socket, threading\n"
        "line = socket.create_connection(('127.0.0.1', {silent_port}))\n"
        "def read():\n"
        "    line.recv(10)  # waits\n"
        "thread = threading.Thread(target=read)\n"
        "thread.start()\n"
        "thread.join()",
        ("recv",),
        "{silent_peer}",
        unlimited=True,
    ),
    Kind(
        "event", "import asyncio\nawait asyncio.Event().wait()  # waits", ("lock",), unlimited=True, asynchronous=True
    ),
    Kind("asyncio_queue", "import asyncio\nawait asyncio.Queue().get()  # waits", ("queue",), asynchronous=True),
    Kind(
        "bare_future",
        "import asyncio\nawait asyncio.get_running_loop().create_future()  # waits",
        ("lock",),
        asynchronous=True,
    ),
    Kind(
        "gathered",
        "import asyncio, httpx\n"
        "async def ask():\n"
        "    async with httpx.AsyncClient(timeout=700) as client:\n"
        "        await client.get('{silent}')  # waits\n"
        "await asyncio.gather(ask(), asyncio.sleep(0.1))",
        ("recv",),
        "{silent_peer}",
        timeout=700,
        asynchronous=True,
    ),
    Kind(
        "aiohttp_body",
        "import aiohttp\n"
        "async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_read=333)) as session:\n"
        "    async with session.get('{stalls}') as answer:\n"
        "        return await answer.text()  # waits",
        ("recv",),
        "{stalls_peer}",
        timeout=333,
        received=True,
        asynchronous=True,
    ),
    Kind(
        "streams",
        "import asyncio\n"
        "reader, writer = await asyncio.open_connection('127.0.0.1', {silent_port})\n"
        "writer.write(b'hello')\n"
        "await reader.read(10)  # waits",
        ("recv",),
        "{silent_peer}",
        asynchronous=True,
    ),
    Kind(
        "to_thread",
        "import asyncio, requests\n"
        "def ask():\n"
        "    return requests.get('{silent}', timeout=60).text  # waits\n"
        "return await asyncio.to_thread(ask)",
        ("recv",),
        "{silent_peer}",
        timeout=60,
        asynchronous=True,
    ),
    Kind(
        "process",
        "import subprocess\nsubprocess.run(['sleep', '900'], timeout=450)  # waits",
        ("process",),
        "sleep",
        timeout=450,
    ),
    Kind(
        "process_in_c",
        "import multiprocessing, ctypes\n"
        "child = multiprocessing.get_context('fork').Process(target=ctypes.PyDLL(None).sleep, args=(900,))\n"
        "child.start()\n"
        "child.join()  # waits",
        ("process",),
        unlimited=True,
    ),
    Kind(
        "asyncio_process",
        "import asyncio\nchild = await asyncio.create_subprocess_exec('sleep', '900')\nawait child.wait()  # waits",
        ("process",),
        asynchronous=True,
    ),
    Kind(
        "child_on_the_wire",
        "import shlex, subprocess, sys\n"
        "ask = shlex.join([sys.executable, '-c', \"import urllib.request as r; r.urlopen('{silent}')\"])\n"
        "subprocess.check_output(['sh', '-c', ask + '; true'])  # waits",
        ("process",),
        "sh",
        unlimited=True,
    ),
    Kind(
        "waited_for",
        "import asyncio, requests\n"
        "def ask():\n"
        "    return requests.get('{silent}', timeout=None).text  # waits\n"
        "return await asyncio.wait_for(asyncio.to_thread(ask), 130)",
        ("recv",),
        "{silent_peer}",
        timeout=130,
        within=1.5,
        asynchronous=True,
    ),
    Kind(
        "result_with_limit",
        "import requests\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def ask():\n"
        "    return requests.get('{silent}').text  # waits\n"
        "pool = ThreadPoolExecutor(1)\n"
        "return pool.submit(ask).result(140)",
        ("recv",),
        "{silent_peer}",
        timeout=140,
        within=1.5,
    ),
    Kind(
        "event_with_limit",
        "import asyncio\nawait asyncio.wait_for(asyncio.Event().wait(), 150)  # waits",
        ("lock",),
        timeout=150,
        within=1.5,
        asynchronous=True,
    ),
    Kind("held_in_c", "import ctypes\nctypes.PyDLL(None).sleep(900)  # waits", ("gil",)),
    Kind("expression", "import re\nre.match(r'(a+)+$', 'a' * 60 + 'b')  # waits", ("cpu",)),
    Kind("sleep", "import time\ntime.sleep(900)  # waits", ("sleep",), timeout=900),
    Kind(
        "database",
        "import contextlib, sqlite3, tempfile\n"
        "path = tempfile.mkdtemp() + '/book.db'\n"
        "with contextlib.closing(sqlite3.connect(path, timeout=120)) as held:\n"
        "    held.execute('CREATE TABLE rows (a TEXT)')\n"
        "    held.execute('BEGIN EXCLUSIVE')\n"
        "    with contextlib.closing(sqlite3.connect(path, timeout=120)) as book:\n"
        "        book.execute('SELECT count(*) FROM rows')  # waits",
        ("lock",),
        "book.db",
        timeout=120,
    ),
    Kind(
        "file_lock",
        "import fcntl, tempfile\n"
        "path = tempfile.mkdtemp() + '/lock'\n"
        "first, second = open(path, 'w'), open(path, 'w')\n"
        "fcntl.flock(first, fcntl.LOCK_EX)\n"
        "fcntl.flock(second, fcntl.LOCK_EX)  # waits",
        ("file",),
    ),
    Kind("pipe", "import os\nread, _ = os.pipe()\nos.read(read, 10)  # waits", ("file",)),
    Kind(
        "grpc",
        "import grpc\n"
        "channel = grpc.insecure_channel('127.0.0.1:{silent_port}')\n"
        "channel.unary_unary('/ledger.Rows/Get')(b'', timeout=100)  # waits",
        ("lock", "recv"),
        "{silent_peer}",
        needs="grpc",
    ),
)


def source(kind: Kind, places: dict[str, str]) -> tuple[str, int, str]:
    """Module of a tool, the line that waits (0: the one of the mark), and its text."""
    lines = [
        "from crewai.tools import BaseTool",
        "",
        "",
        "class Lookup(BaseTool):",
        f'    name: str = "{kind.name}"',
        '    description: str = "Look up one thing."',
        "",
        f"    {'async ' if kind.asynchronous else ''}def _run(self, subject: str) -> str:",
        *(f"        {line}" for line in kind.body.format(**places).splitlines()),
        "",
        "",
        f"{kind.name} = Lookup()",
    ]
    number = next(index for index, line in enumerate(lines, 1) if line.endswith(MARK))
    return "\n".join(lines) + "\n", number, lines[number - 1].strip()
