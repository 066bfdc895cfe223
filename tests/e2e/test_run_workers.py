"""Crews in processes somebody else forks: gunicorn, Celery, a pool of multiprocessing. One recording holds them all."""

import importlib.util
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.test_run import CREW, ended, records, report, start, wait_for
from tests.e2e.test_run_web import Served, free_port

pytestmark = [pytest.mark.crewai, pytest.mark.timeout(300)]

WSGI = (
    CREW
    + """
def app(environ, start_response):
    answer = str(crew().kickoff(inputs={"dish": "soup"})).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]
"""
)
LINE = next(number for number, text in enumerate(WSGI.splitlines(), 1) if "urlopen" in text)
TASKS = (
    CREW
    + """
from celery import Celery

app = Celery("app", broker="filesystem://")
app.conf.update(
    broker_transport_options={"data_folder_in": "queue", "data_folder_out": "queue"},
    broker_connection_retry_on_startup=True,
)

@app.task
def cook(dish):
    return str(crew().kickoff(inputs={"dish": dish}))
"""
)
POOL = (
    CREW
    + """
import multiprocessing

def cook(dish):
    return str(crew().kickoff(inputs={"dish": dish}))

if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1] if sys.argv[1:] else os.environ["METHOD"]).Pool(2) as pool:
        print(len(pool.map(cook, ["soup", "bread"], chunksize=1)))
"""
)


def installed(*packages):
    missing = [each for each in packages if not importlib.util.find_spec(each)]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed here")


def gunicorn(port, *more):
    return [sys.executable, "-m", "gunicorn", "app:app", "--workers", "2", "--bind", f"127.0.0.1:{port}", *more]


@installed("gunicorn")
@pytest.mark.parametrize(("hook", "more"), [(False, ["--preload"]), (False, []), (True, [])])
def test_workers_gunicorn_forks_are_recorded_and_a_healthy_report_is_silent(tmp_path, model, healthy, hook, more):
    port = free_port()
    served = Served(tmp_path, gunicorn(port, *more), port, hook=hook, source=WSGI, MODEL_URL=model, TOOL_URL=healthy)
    status, _ = served.ask("/")
    code, _, err = served.stopped()

    assert (status, code) == (200, 0)
    assert hook or "No mismatch found" in err
    assert report(tmp_path).findings == ()
    (kickoff,) = [each for each in records(tmp_path / "rec.jsonl") if each.get("name") == "crew.kickoff"]
    assert len({each["step"] for each in records(tmp_path / "rec.jsonl") if each["k"] == "begin"}) >= 3
    assert kickoff["step"] != next(each["step"] for each in records(tmp_path / "rec.jsonl") if each["k"] == "begin")


@installed("gunicorn")
def test_a_worker_gunicorn_ends_for_its_own_timeout_is_told_with_the_line_it_hung_on(tmp_path, model, silent):
    port = free_port()
    command = gunicorn(port, "--timeout", "25", "--preload")
    served = Served(tmp_path, command, port, source=WSGI, MODEL_URL=model, TOOL_URL=silent)
    with suppress(OSError):
        served.ask("/")
    served.stopped()

    first = report(tmp_path).findings[0]
    assert (first.code, first.subject) == ("CD304", "tool:find_recipe")
    assert (Path(first.location.file).name, first.location.line) == ("app.py", LINE)


@installed("celery")
@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_celery_worker_is_recorded_and_a_healthy_report_is_silent(tmp_path, model, healthy, pool):
    (tmp_path / "queue").mkdir()
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--concurrency", "1", "--pool", pool]
    command = [sys.executable, "-m", "celery", "-A", "main", "worker", *quiet]
    (tmp_path / "main.py").write_text(TASKS)
    process = start(tmp_path, TASKS, command=command, MODEL_URL=model, TOOL_URL=healthy)
    sends = "from main import cook; cook.delay('soup')"
    environment = {"MODEL_URL": model, "TOOL_URL": healthy, "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", sends], cwd=tmp_path, env=environment, check=True, timeout=120)
    wait_for(tmp_path / "rec.jsonl", '"tokens"', 120)
    time.sleep(2)
    process.terminate()
    code, _, err = ended(process)

    assert code == 0, err[-2000:]
    assert "No mismatch found" in err
    assert report(tmp_path).findings == ()
    assert len([each for each in records(tmp_path / "rec.jsonl") if each.get("name") == "crew.kickoff"]) == 1


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.long)])
def test_a_pool_of_processes_is_recorded_and_a_healthy_report_is_silent(tmp_path, model, healthy, method):
    code, out, err = ended(start(tmp_path, POOL, METHOD=method, MODEL_URL=model, TOOL_URL=healthy), 200)
    held = records(tmp_path / "rec.jsonl")

    assert (code, out.splitlines()[-1]) == (0, "2"), err[-2000:]
    assert report(tmp_path).findings == ()
    kickoffs = [each for each in held if each["k"] == "open" and each["name"] == "crew.kickoff"]
    ended_ones = {each["id"] for each in held if each["k"] == "close"}
    assert len(kickoffs) == 2
    assert {each["id"] for each in kickoffs} <= ended_ones
