"""Fixes as code to paste: how each client library is told how long it may wait."""

from __future__ import annotations

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
    "threading": "lock.acquire(timeout={read})",
    "future": "future.result(timeout={read})",
    "psycopg": 'psycopg.connect(dsn, connect_timeout=3, options="-c statement_timeout={read}s")',
    "sqlite3": "sqlite3.connect(path, timeout={read})",
    "pymysql": "pymysql.connect(host=host, connect_timeout=3, read_timeout={read}, write_timeout={read})",
    "pymongo": "pymongo.MongoClient(uri, timeoutMS={read}000)",
    "kafka": "consumer.poll(timeout={read})",
    "paramiko": "client.connect(host, timeout=3, banner_timeout=10, auth_timeout=10)",
    "redis": "redis.Redis(host=host, socket_timeout={read}, socket_connect_timeout=3)",
}


def bounded_call(client: str, call: str = "", read: int = 20) -> Fix:
    """Give the call a limit, in the words of its client."""
    text = _CODE.get(client, _REQUESTS)
    if client in {"requests", "httpx", "httpx2"} and "." in call:
        text = text.replace(f"{client}.get(", f"{call}(", 1)
    return Fix(f"Give the call a timeout of {read} s", text.format(read=read, total=read * 3))
