"""Builds recordings line by line, as the supervisor writes them: `python tests/recordings.py [cd304_fires ...]`.

A scenario is a function of the same name in `tests/scenes_*.py`. Recordings of real runs may replace any of them.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crewdoctor.model.inventory import (
    AgentEntry,
    Endpoint,
    Inventory,
    LlmEntry,
    ScanEntry,
    TaskEntry,
    ToolEntry,
)
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Step
from crewdoctor.model.recording import Header
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.setting import UNLIMITED, Bound, Location, Provenance, Seconds, Setting, SettingValue
from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.wire.codec import encode
from crewdoctor.wire.frames import FORMAT, to_line

HERE = Path(__file__).resolve().parent
RECORDINGS = HERE.parent / "fixtures" / "recordings"

AGENT = "agent:Researcher"
LLM = f"{AGENT}/llm"
TOOL = "tool:search"
CREW = "crew:crew"
MODEL_HOST = "host:model.internal:8000"
TOOL_HOST = "host:internal-api.local:443"
TOOL_LINE = Location("tools.py", 57, "search", 'return requests.get(ENDPOINT + "/search").text')
CREW_LINE = Location("crew.py", 14, "", "worker = Agent(")
LAYERS = {
    "inspect": Layer.SETTINGS,
    "llm.sdk": Layer.LLM,
    "llm.crewai": Layer.LLM,
    "ladder": Layer.LLM,
    "tool.isolated": Layer.TOOL,
    "crew.kickoff": Layer.CREW,
    "scale.ramp": Layer.CREW,
    "net.plain": Layer.NETWORK,
    "environment.telemetry": Layer.ENVIRONMENT,
}


def written(where: Location = CREW_LINE) -> Provenance:
    return Provenance("python", str(where), where)


def default(text: str) -> Provenance:
    return Provenance("default", text)


def wire(value: float | Bound) -> dict[str, Any]:
    return encode(Seconds(value) if isinstance(value, (int, float)) else value)


class Scene:
    """A recording in the making. Times are seconds since zero."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.header = Header(FORMAT, "0.1.0", "2026-11-24T04:00:00+00:00", "3.11.7", "linux x86_64", 2, 0.4)
        self.options = Options(target="crew.py")
        self.inventory: Inventory | None = None
        self.results: list[StepResult] = []
        self.numbers: dict[str, int] = {}
        self.count = 0
        self.end = 0.0
        self.simulated: list[str] = []

    # --- what the crew is ------------------------------------------------------------------------------------------

    def crew(
        self,
        *settings: Setting,
        tools: int = 1,
        scan: tuple[ScanEntry, ...] = (),
        stream: bool = False,
        inputs: tuple[str, ...] = (),
    ) -> None:
        """One agent on one model, with a tool (or none), one task."""
        held = (TOOL,) if tools else ()
        tool = ToolEntry(
            TOOL,
            "search",
            "function",
            Location("tools.py", 50, "search", "def search(query: str) -> str:"),
            {"properties": {"query": {"type": "string"}}},
            (AGENT,),
            (TOOL_HOST,),
        )
        model = Endpoint(MODEL_HOST, "http", "model.internal", 8000, "llm", (LLM,), ("httpx",), "llm base_url")
        api = Endpoint(TOOL_HOST, "https", "internal-api.local", 443, "tool", (TOOL,), ("requests",), "tools.py:57")
        self.inventory = Inventory(
            target="crew.py",
            crew="crew",
            project_root="/project",
            shape="module",
            agents=(AgentEntry(AGENT, "Researcher", LLM, held, ("task:1",), CREW_LINE, 240),),
            tasks=(TaskEntry("task:1", AGENT),),
            tools=(tool,) if tools else (),
            llms=(LlmEntry(LLM, "gpt-4o", "openai", True, MODEL_HOST, (LLM,), True, {"stream": stream}),),
            endpoints=(model, api) if tools else (model,),
            settings=settings,
            scan=scan,
            inputs_required=inputs,
        )
        self.step("inspect", "crew", 0.0, 4.0, worker="crew")

    # --- what happened -----------------------------------------------------------------------------------------------

    def step(
        self,
        probe: str,
        subject: str,
        start: float,
        end: float,
        status: Status = Status.OK,
        *,
        worker: str = "loaded",
        reason: str = "",
        **facts: Any,
    ) -> str:
        """A step and its result; returns its id."""
        ident = f"{probe}@{subject}"
        step = Step(ident, probe, LAYERS[probe], subject, worker, 22.0)
        self.numbers[ident] = len(self.numbers) + 1
        self.lines.append({"k": "begin", "step": ident, "at": start, "pid": 4000 + len(self.numbers)})
        self.results.append(StepResult(step, status, start, end, reason, None, facts))
        self.end = max(self.end, end)
        return ident

    def span(  # noqa: PLR0913 - a span has so many parts
        self,
        step: str,
        name: str,
        start: float,
        end: float | None,
        *,
        subject: str = "",
        parent: str | None = None,
        failure: FailureKind | None = None,
        text: str = "",
        exception: str = "",
        **attrs: Any,
    ) -> str:
        """A span; open where `end` is None. Returns its id."""
        self.count += 1
        ident = f"{self.numbers[step]}.{self.count}"
        subject = subject or step.split("@", 1)[1]
        layer = Layer.TOOL if subject.startswith("tool:") else Layer.LLM if subject.endswith("/llm") else Layer.AGENT
        opening = {"id": ident, "step": step, "name": name, "start": start, "layer": layer.value, "subject": subject}
        self.lines.append({"k": "open", **opening, "parent": parent, "attrs": attrs})
        if end is not None:
            failed = encode(Failure(failure, text, exception)) if failure else None
            self.lines.append({"k": "close", "id": ident, "end": end, "failure": failed, "attrs": {}})
            self.end = max(self.end, end)
        return ident

    def stack(
        self,
        step: str,
        at: float,
        span: str,
        waiting: str,
        *,
        seconds: float,
        line: Location | None = TOOL_LINE,
        **attrs: Any,
    ) -> str:
        """A look at something blocked."""
        self.count += 1
        ident = f"{self.numbers[step]}.{self.count}"
        frames = [encode(line)] if line else []
        record = {"id": ident, "step": step, "at": at, "span": span, "waiting": waiting, "frames": frames}
        record |= {"user_frame": encode(line), "thread": "MainThread", "seconds": seconds, "attrs": attrs}
        self.lines.append({"k": "stack", **record})
        return ident

    def event(self, step: str, name: str, at: float, **attrs: Any) -> str:
        """A moment."""
        self.count += 1
        ident = f"{self.numbers[step]}.{self.count}"
        self.lines.append({"k": "event", "id": ident, "step": step, "name": name, "at": at, "attrs": attrs})
        return ident

    def llm(  # noqa: PLR0913 - a call has so many parts
        self,
        step: str,
        start: float,
        end: float | None,
        *,
        parent: str | None = None,
        requests: int = 1,
        failure: FailureKind | None = None,
        text: str = "",
        status: int | None = 200,
        read: float = 600.0,
        stream: bool = False,
        **attrs: Any,
    ) -> str:
        """A model call with its requests, one after the other."""
        call = self.span(
            step,
            "llm.call",
            start,
            end,
            subject=LLM,
            parent=parent,
            failure=failure,
            text=text,
            model="gpt-4o",
            stream=stream,
            **attrs,
        )
        length = ((end if end is not None else start) - start) / requests
        for index in range(requests):
            begun = start + index * length
            ended = None if end is None else begun + length
            seen = (
                {"first_byte": attrs.get("first_token", length), "status": status}
                if status is not None and end is not None
                else {}
            )
            request = self.span(
                step,
                "http.request",
                begun,
                ended,
                subject=LLM,
                parent=call,
                failure=failure,
                client="httpx",
                host="model.internal",
                port=8000,
                attempt=index + 1,
                timeout={"connect": wire(5.0), "read": wire(read)},
                **seen,
            )
            if end is None:
                self.span(
                    step, "net.exchange", begun, None, subject=LLM, parent=request, host="model.internal", port=8000
                )
                self.stack(
                    step,
                    begun + 1.0,
                    call,
                    "recv",
                    seconds=1.0,
                    line=None,
                    peer="model.internal:8000",
                    bytes_received=0,
                )
        return call

    def tool(  # noqa: PLR0913 - a call has so many parts
        self,
        step: str,
        start: float,
        end: float | None,
        *,
        n: int = 1,
        parent: str | None = None,
        failure: FailureKind | None = None,
        text: str = "",
        timeout: float | Bound = UNLIMITED,
        status: int | None = 200,
        source: str = "schema",
        exception: str = "",
    ) -> str:
        """A tool call with its one request."""
        call = self.span(
            step,
            "tool.call",
            start,
            end,
            subject=TOOL,
            parent=parent,
            failure=failure,
            text=text,
            exception=exception,
            tool="search",
            n=n,
            args_source=source,
            guarded=False,
        )
        peer = {"host": "internal-api.local", "port": 443}
        answered = {"status": status, "first_byte": end - start} if end is not None and failure is None else {}
        request = self.span(
            step,
            "http.request",
            start,
            end,
            subject=TOOL,
            parent=call,
            failure=failure,
            client="requests",
            timeout={"connect": wire(timeout), "read": wire(timeout)},
            **peer,
            **answered,
        )
        if failure is None or failure.is_timeout:
            self.span(
                step,
                "net.exchange",
                start,
                end,
                subject=TOOL,
                parent=request,
                failure=failure,
                timeout=wire(timeout),
                **peer,
            )
        return call

    # --- to disk -----------------------------------------------------------------------------------------------------

    def write(self, path: Path) -> None:
        """Write the recording in the order its lines were made, results last."""
        header = {"k": "header", "header": {**encode(self.header), "options": encode(self.options)}}
        known = [{"k": "inventory", "inventory": encode(self.inventory)}] if self.inventory else []
        simulated = [{"k": "simulated", "subjects": self.simulated}] if self.simulated else []
        ended = [{"k": "result", "result": encode(result)} for result in self.results]
        last = {"k": "last", "at": self.end, "interrupted": ""}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(map(to_line, (header, *known, *simulated, *self.lines, *ended, last))))


def scan_entry(client: str, call: str, timeout: float | Bound, line: Location = TOOL_LINE) -> ScanEntry:
    return ScanEntry(line, client, call, wire(timeout), (TOOL,))


def setting(subject: str, scope: str, name: str, value: SettingValue, origin: Provenance | None = None) -> Setting:
    return Setting(subject, scope, name, value, origin or written())


def scenes() -> dict[str, Callable[[Scene], None]]:
    """Every scenario by name."""
    found: dict[str, Callable[[Scene], None]] = {}
    for path in sorted(HERE.glob("scenes/*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found |= {name: held for name, held in vars(module).items() if name.startswith("cd")}
    return found


def main(names: list[str]) -> None:
    for name, build in scenes().items():
        if not names or name in names:
            scene = Scene()
            build(scene)
            scene.write(RECORDINGS / name / "recording.jsonl")


if __name__ == "__main__":
    sys.modules.setdefault("recordings", sys.modules["__main__"])
    main(sys.argv[1:])
