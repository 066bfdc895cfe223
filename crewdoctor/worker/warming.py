"""What a worker does once so that no step pays for it: imports, lazy modules of SDKs, taps."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from crewdoctor.worker import context, points, taps
from crewdoctor.worker.hosts import sdk_library
from crewdoctor.worker.recorder import Recorder


def warm_own() -> dict[str, Any]:
    """Import what most steps of our own interpreter need."""
    for name in ("ssl", "dns.resolver", "dns.message", "dns.query"):
        with suppress(ImportError):
            importlib.import_module(name)
    return {"failure": "", "crewai": ""}


def warm_crew(recorder: Recorder) -> dict[str, Any]:
    """Install the taps, then import crewai and touch the SDK; `failure` is a sentence when crewai does not import."""
    _install_taps(recorder)
    try:
        crewai = importlib.import_module("crewai")
    except ModuleNotFoundError as error:
        if error.name == "crewai":
            sentence = f"crewai is not installed for {sys.executable}; name the interpreter that holds it with --python"
        else:
            sentence = f"crewai does not import in {sys.executable}: the package {error.name} is missing"
        return {"failure": sentence, "crewai": ""}
    except BaseException as error:
        sentence = f"crewai does not import in {sys.executable}: {type(error).__name__}: {error}"
        return {"failure": sentence, "crewai": ""}
    try:
        _warm_openai()
    except Exception as error:
        recorder.own(f"the openai SDK could not be warmed: {error!r}")
    return {"failure": "", "crewai": str(getattr(crewai, "__version__", ""))}


def warm_sdk(recorder: Recorder) -> dict[str, Any]:
    """Install the taps and import the openai SDK alone, where it is installed: crewai is not needed, nor imported."""
    _install_taps(recorder)
    with suppress(ImportError):
        importlib.import_module("openai")
        importlib.import_module("openai.types.chat")
    return {"failure": "", "crewai": ""}


def _install_taps(recorder: Recorder) -> None:
    points.install()  # beneath the taps: spans go on saying whom the user's code wanted to reach
    context.install(recorder)
    for name, install in _installers(recorder):
        _install(recorder, name, install)


def _install(recorder: Recorder, name: str, install: Callable[[Recorder], None]) -> None:
    try:
        install(recorder)
    except Exception as error:
        recorder.own(f"tap {name} disabled itself: {error!r}")


def _installers(recorder: Recorder) -> list[tuple[str, Callable[[Recorder], None]]]:
    found = []
    for entry in sorted(pkgutil.iter_modules(taps.__path__), key=lambda each: each.name):
        try:
            module = importlib.import_module(f"{taps.__name__}.{entry.name}")
        except Exception as error:
            recorder.own(f"tap {entry.name} does not import: {error!r}")
            continue
        if hasattr(module, "install"):
            found.append((entry.name, module.install))
    return found


def _warm_openai() -> None:
    """Run one call of each kind through the SDK without a network: some 480 lazy modules, 0.7 s of a first call."""
    try:
        openai = importlib.import_module("openai")
        httpx = importlib.import_module(sdk_library())  # it takes no other library's client
        importlib.import_module("crewai.llms.providers.openai.completion")
    except ImportError:
        return
    message = {"role": "assistant", "content": "ok"}
    whole = {"id": "warm", "object": "chat.completion", "created": 0, "model": "warm"}
    choice = {"index": 0, "finish_reason": "stop"}
    chunk = b'data: {"id":"warm","object":"chat.completion.chunk","created":0,"model":"warm","choices":[]}\n\n'

    def answer(request: Any) -> Any:
        if b'"stream":true' in request.content.replace(b" ", b""):
            stream = {"content-type": "text/event-stream"}
            return httpx.Response(200, headers=stream, content=chunk + b"data: [DONE]\n\n")
        return httpx.Response(200, json={**whole, "choices": [{**choice, "message": message}]})

    transport = httpx.MockTransport(answer)
    with httpx.Client(transport=transport) as http:
        client = openai.OpenAI(api_key="warm", base_url="http://warm.invalid/v1", http_client=http, max_retries=0)
        asked = {"model": "warm", "messages": [{"role": "user", "content": "ok"}]}
        client.chat.completions.create(**asked)
        for _ in client.chat.completions.create(**asked, stream=True):
            pass
