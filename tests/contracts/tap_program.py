"""One client through every scenario, with or without the taps; prints what a user would notice, as one JSON line.

Started by test_transparent_taps.py as `python tap_program.py CLIENT on|off SCENARIOS` (a JSON object of name to URL).
"""

import asyncio
import contextlib
import gc
import json
import os
import re
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

TIMEOUT = 0.6
FRAMES = []


def armed():
    """Install and arm the taps as a worker does; what they write is read at the end."""
    from crewdoctor.model.layer import Layer
    from crewdoctor.worker import context, taps
    from crewdoctor.worker.recorder import Recorder

    recorder = Recorder()
    context.install(recorder)
    taps.install_all(recorder)
    read, write = os.pipe()
    recorder.arm(write, step="tool.isolated@tool:x", number=1, zero=time.monotonic(), seconds=100, layer=Layer.TOOL)

    def drain():
        with os.fdopen(read, "rb") as frames:
            FRAMES.extend(json.loads(line) for line in frames)

    reader = threading.Thread(target=drain)
    reader.start()
    return recorder, reader


def sockets():
    gc.collect()
    count = 0
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(entry.readlink()).startswith("socket:")
    return count


def with_requests(url):
    import requests

    response = requests.get(url, timeout=TIMEOUT)
    response.raise_for_status()
    return [response.status_code, response.text]


def with_urllib3(url):
    import urllib3

    with urllib3.PoolManager(retries=False) as pool:
        response = pool.request("GET", url, timeout=TIMEOUT)
        return [response.status, response.data.decode()]


def with_urllib(url):
    import urllib.request

    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
        return [response.status, response.read().decode()]


def with_http_client(url):
    import http.client

    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=TIMEOUT)
    try:
        connection.request("GET", parts.path)
        response = connection.getresponse()
        return [response.status, response.read().decode()]
    finally:
        connection.close()


def with_httpx(url):
    import httpx

    with httpx.Client(timeout=TIMEOUT) as client:
        return [client.get(url).raise_for_status().text, client.get(url).status_code]


def with_httpx_stream(url):
    import httpx

    with httpx.stream("GET", url, timeout=TIMEOUT) as response:
        return [response.status_code, next(response.iter_bytes(3)).decode()]


async def with_httpx_async(url):
    import httpx

    async with httpx.AsyncClient(timeout=TIMEOUT) as client:
        # Both end before the client closes: what a request cut off half-way leaves open is a matter of chance.
        outcomes = await asyncio.gather(client.get(url), client.get(url), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return [outcomes[0].raise_for_status().text, outcomes[1].status_code]


async def with_httpx2_async(url):
    import httpx2

    async with httpx2.AsyncClient(timeout=TIMEOUT) as client:
        return (await client.get(url)).raise_for_status().text


async def with_aiohttp(url):
    import aiohttp

    limits = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT, sock_read=TIMEOUT)
    async with aiohttp.ClientSession(timeout=limits, raise_for_status=True) as session, session.get(url) as response:
        return [response.status, await response.text()]


async def with_asyncio(url):
    import ssl

    parts = urlsplit(url)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
    try:
        writer.write(f"GET {parts.path} HTTP/1.0\r\n\r\n".encode())
        return (await asyncio.wait_for(reader.read(), TIMEOUT)).decode()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def with_socket(url):
    import socket
    import ssl

    parts = urlsplit(url)
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT))
        if parts.scheme == "https":
            context = ssl.create_default_context()
            sock = stack.enter_context(context.wrap_socket(sock, server_hostname=parts.hostname))
        sock.sendall(f"GET {parts.path} HTTP/1.0\r\n\r\n".encode())
        return b"".join(iter(lambda: sock.recv(7), b"")).decode()


def openai_arguments(url):
    return {"base_url": url, "api_key": "k", "timeout": TIMEOUT, "max_retries": 1}


ASKED = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def with_openai(url):
    import openai

    with openai.OpenAI(**openai_arguments(url)) as client:
        return client.chat.completions.create(**ASKED).choices[0].message.content


async def with_openai_async(url):
    import openai

    async with openai.AsyncOpenAI(**openai_arguments(url)) as client:
        return (await client.chat.completions.create(**ASKED)).choices[0].message.content


def observed(call, url):
    before = sockets()
    try:
        outcome = asyncio.run(call(url)) if asyncio.iscoroutinefunction(call) else call(url)
        noticed = {"result": outcome}
    except Exception as error:
        from crewdoctor.worker.classify import classify

        text = re.sub(r"0x[0-9a-f]+", "0x", str(error))
        noticed = {
            "raised": f"{type(error).__module__}.{type(error).__qualname__}",
            "text": text,
            "kind": classify(error).kind.value,
            "cause": repr(type(error.__cause__)),
        }
        del error
    return {**noticed, "sockets": sockets() - before}


def main():
    client, taps, scenarios = sys.argv[1], sys.argv[2] == "on", json.loads(sys.argv[3])
    recorder, reader = armed() if taps else (None, None)
    call = globals()[f"with_{client}"]
    if client.startswith("openai"):
        import openai.resources.chat  # noqa: F401
    gc.freeze()  # what an import leaves is no business of the collections that count sockets, and costs them seconds
    noticed = {}
    for name, url in scenarios.items():
        if recorder is None:
            noticed[name] = observed(call, url)
            continue
        with recorder.span("tool.call", subject=f"tool:{name}"):
            noticed[name] = observed(call, url)
    if recorder is not None:
        from crewdoctor.worker.inflight import settle_idle

        noticed["still in flight"] = [operation.kind for operation in recorder.in_flight().values()]
        settle_idle()
        recorder.disarm()
        reader.join()
    sys.stdout.write(json.dumps({"noticed": noticed, "frames": FRAMES}))


main()
