"""What the watchdog's parts say of real blocked threads and idle children."""

import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from crewdoctor.worker.descendants import Descendants
from crewdoctor.worker.kernel_wait import kernel_wait
from crewdoctor.worker.stacks import places, waiting


@pytest.fixture
def on_a_lock():
    lock = threading.Lock()
    lock.acquire()
    thread = threading.Thread(target=lambda: lock.acquire() and None, daemon=True)
    thread.start()
    time.sleep(0.3)
    yield thread
    lock.release()
    thread.join(5.0)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_lock_taken_without_a_timeout_is_known_to_be_endless(on_a_lock):
    assert kernel_wait(on_a_lock.native_id) == ("lock", "", True)


def test_the_frame_that_started_a_thread_is_nothing_it_waits_for(on_a_lock):
    assert waiting(list(places(sys._current_frames()[on_a_lock.ident]))) == ""


def test_a_frame_at_no_line_is_at_its_first():
    code = on_a_lock_line.__code__
    frame = SimpleNamespace(f_code=code, f_lineno=None, f_back=None)

    assert list(places(frame)) == [(code, code.co_firstlineno)]


def on_a_lock_line():
    pass


def test_a_thread_that_joins_another_waits_for_a_lock(on_a_lock):
    joining = threading.Thread(target=on_a_lock.join, args=(20.0,), daemon=True)
    joining.start()
    time.sleep(0.3)

    assert waiting(list(places(sys._current_frames()[joining.ident]))) == "lock"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize(
    ("program", "works"), [("import time; time.sleep(60)", False), ("while True: pass", True)], ids=["sleeps", "works"]
)
def test_children_that_use_no_cpu_are_idle(program, works):
    beneath = Descendants()
    with subprocess.Popen([sys.executable, "-S", "-c", program]) as child:
        try:
            time.sleep(0.5)
            beneath.idle_seconds(100.0)
            time.sleep(1.5)
            assert (beneath.idle_seconds(101.5) < 1.0) is works
        finally:
            child.kill()
