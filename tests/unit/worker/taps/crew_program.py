"""A real crew with the taps on, against a stub model; prints the frames as one JSON list.

Two agents. The first one's model asks for both its tools in one turn, so they run in parallel, in a task that runs in
a thread of its own (`async_execution`); one tool goes through requests, one through httpx in a thread it makes itself,
and one fails. The second one streams.
"""

import asyncio
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))
os.environ.update(CREWAI_DISABLE_TELEMETRY="true", CREWAI_TRACING_ENABLED="false", CREWAI_TESTING="true")

from crewdoctor.model.layer import Layer
from crewdoctor.worker import context, taps
from crewdoctor.worker.recorder import Recorder

RECORDER = Recorder()
context.install(RECORDER)
taps.install_all(RECORDER)

MODEL, PAGE = sys.argv[1], sys.argv[2]
FRAMES = []


def crew():
    from crewai import LLM, Agent, Crew, Task
    from crewai.tools import tool

    @tool("Fetch Prices")
    def prices(query: str) -> str:
        """Fetch prices."""
        import requests

        time.sleep(0.2)
        return requests.get(PAGE, timeout=5).text

    @tool("Fetch News")
    def news(query: str) -> str:
        """Fetch news."""
        import httpx

        async def both():
            async with httpx.AsyncClient(timeout=5) as client:
                return (await client.get(PAGE)).text

        time.sleep(0.2)
        with ThreadPoolExecutor() as pool:
            return pool.submit(asyncio.run, both()).result()

    @tool("Broken")
    def broken(query: str) -> str:
        """Fail."""
        import requests

        return requests.get("http://127.0.0.1:1/", timeout=5).text

    def agent(role, llm, tools):
        return Agent(role=role, goal="g", backstory="b", llm=llm, tools=tools, max_retry_limit=0)

    plain = LLM(model="openai/stub", base_url=MODEL, api_key="k", timeout=10, max_retries=0)
    streamed = LLM(model="openai/stub", base_url=MODEL, api_key="k", timeout=10, max_retries=0, stream=True)
    finder = agent("Finder of {topic}\n", plain, [prices, news, broken])
    writer = agent("Writer", streamed, [])
    return Crew(
        name="reporters",
        agents=[finder, writer],
        tasks=[
            Task(description="find", expected_output="x", agent=finder, async_execution=True, name="find"),
            Task(description="write", expected_output="x", agent=writer),
        ],
    )


def main():
    team = crew()
    read, write = os.pipe()

    def drain():
        with os.fdopen(read, "rb") as frames:
            FRAMES.extend(json.loads(line) for line in frames)

    reader = threading.Thread(target=drain)
    reader.start()
    RECORDER.arm(write, step="crew.kickoff@crew", number=1, zero=time.monotonic(), seconds=100, layer=Layer.CREW)
    asked = {"inputs": {"topic": "tea"}}
    if sys.argv[3] == "async":
        asyncio.run(team.akickoff(**asked))
    else:
        team.kickoff(**asked)
    left = [(operation.kind, operation.peer) for operation in RECORDER.in_flight().values()]
    from crewdoctor.worker.inflight import settle_idle

    settle_idle()
    RECORDER.disarm()
    reader.join()
    Path(sys.argv[4]).write_text(json.dumps({"frames": FRAMES, "left": left}))


main()
