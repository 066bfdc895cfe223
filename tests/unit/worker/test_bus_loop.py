import asyncio
import os
import threading
import types

import pytest

from crewdoctor.worker import bus_loop


class Bus:
    """The part of crewai's event bus (1.0 to 1.11) that matters here."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._loop_thread = threading.Thread(target=self._run_loop, name="CrewAIEventsLoop", daemon=True)
        self._loop_thread.start()

    def _run_loop(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def hear(self):
        async def handler():
            return "heard"

        return asyncio.run_coroutine_threadsafe(handler(), self._loop).result(5)

    def end(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._loop_thread.join()
        self._loop.close()


@pytest.fixture
def bus(monkeypatch):
    held = Bus()
    monkeypatch.setitem(bus_loop.sys.modules, "crewai.events.event_bus", types.SimpleNamespace(crewai_event_bus=held))
    yield held
    if held._loop_thread.is_alive():
        held.end()


def test_a_parked_bus_runs_no_thread_and_a_resumed_one_hears_again(bus):
    bus_loop.park()
    assert not bus._loop_thread.is_alive()

    bus_loop.resume()

    assert bus._loop_thread.name == "CrewAIEventsLoop"
    assert bus.hear() == "heard"


def test_a_forked_child_hears_on_a_loop_of_its_own(bus):
    bus_loop.park()

    child = os.fork()
    if child == 0:
        bus_loop.resume()
        os._exit(0 if bus.hear() == "heard" else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    bus_loop.resume()
    assert bus.hear() == "heard"


def test_a_busy_loop_is_left_alone(bus):
    going = asyncio.run_coroutine_threadsafe(asyncio.sleep(30), bus._loop)
    while not asyncio.all_tasks(bus._loop):
        pass

    bus_loop.park()

    assert bus._loop_thread.is_alive()
    going.cancel()


def test_a_bus_that_starts_its_thread_late_has_nothing_to_park(monkeypatch):
    late = types.SimpleNamespace(_loop=None, _loop_thread=None)
    monkeypatch.setitem(bus_loop.sys.modules, "crewai.events.event_bus", types.SimpleNamespace(crewai_event_bus=late))

    bus_loop.park()
    bus_loop.resume()

    assert late._loop_thread is None
