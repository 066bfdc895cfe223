"""Run by test_mcp_session.py: calls of an MCP server, with (`on`) or without (`off`) the tap, as one JSON line."""

import asyncio
import json
import os
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))
FRAMES = []


def armed():
    from crewdoctor.model.layer import Layer
    from crewdoctor.worker.recorder import Recorder
    from crewdoctor.worker.taps import mcp_session

    recorder = Recorder()
    mcp_session.install(recorder)
    read, write = os.pipe()
    recorder.arm(write, step="crew.kickoff@crew:c", number=1, zero=time.monotonic(), seconds=60, layer=Layer.CREW)

    def drain():
        with os.fdopen(read, "rb") as frames:
            FRAMES.extend(json.loads(line) for line in frames)

    reader = threading.Thread(target=drain)
    reader.start()
    return recorder, reader


async def noticed():
    from mcp.server.fastmcp import FastMCP
    from mcp.shared.memory import create_connected_server_and_client_session

    server = FastMCP("ledger", log_level="CRITICAL")

    @server.tool()
    async def look_up(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "three rows"

    seen = []

    async def attempt(call):
        try:
            answer = await call
            seen.append([answer.isError, answer.content[0].text])
        except Exception as error:
            seen.append(type(error).__qualname__)

    async with create_connected_server_and_client_session(server._mcp_server) as session:
        await attempt(session.call_tool("look_up", {"seconds": 0.0}))
        await attempt(session.call_tool("nobody", {}))
        await attempt(asyncio.wait_for(session.call_tool("look_up", {"seconds": 60.0}), 0.2))
        limit = timedelta(seconds=0.2)
        await attempt(session.call_tool("look_up", {"seconds": 60.0}, read_timeout_seconds=limit))
    return seen


def main():
    held = armed() if sys.argv[1] == "on" else None
    seen = asyncio.run(noticed())
    if held:
        recorder, reader = held
        recorder.end("ok")
        recorder.disarm()
        reader.join(10)
    closed = [each for each in FRAMES if each["k"] == "close"]
    kinds = [(each.get("failure") or {}).get("kind", "") for each in closed]
    own = [each["text"] for each in FRAMES if each["k"] == "own"]
    sys.stdout.write(json.dumps({"noticed": seen, "kinds": kinds, "own": own}) + "\n")


if __name__ == "__main__":
    main()
