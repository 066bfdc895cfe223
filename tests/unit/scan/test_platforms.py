"""Limits of platforms, read from the files of a project."""

from __future__ import annotations

import pytest

from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Seconds
from crewdoctor.scan.platforms import outer_limits

CASES = {
    "gunicorn: written": ("gunicorn.conf.py", "workers = 2\ntimeout = 60\n", [("gunicorn", 60.0, 2)]),
    "gunicorn: its default": ("gunicorn.conf.py", "workers = 2\n", [("gunicorn", 30.0, 1)]),
    "gunicorn: through a variable": ("gunicorn.conf.py", "N = 45\ntimeout = int(N * 2)\n", [("gunicorn", 90.0, 2)]),
    "gunicorn: from nowhere": ("gunicorn.conf.py", "timeout = compute()\n", [("gunicorn", UNKNOWN, 1)]),
    "gunicorn: none": ("gunicorn.conf.py", "timeout = 0\n", [("gunicorn", UNLIMITED, 1)]),
    "gunicorn: a worker that keeps its beat": (
        "gunicorn.conf.py",
        'worker_class = "uvicorn.workers.UvicornWorker"\ntimeout = 30\n',
        [],
    ),
    "gunicorn: threads": ("gunicorn.conf.py", "threads = 4\ntimeout = 30\n", []),
    "Procfile": (
        "Procfile",
        "# web: gunicorn -t 1 x\nweb: gunicorn app:app --timeout=120\nrun: timeout -k 5 2m python other.py\n",
        [("gunicorn", 120.0, 2), ("timeout", 120.0, 3)],
    ),
    "Procfile: asynchronous": ("Procfile", "web: gunicorn app:app -t 20 -k uvicorn.workers.UvicornWorker\n", []),
    "Dockerfile: the last CMD, over two lines": (
        "Dockerfile",
        'FROM x\nCMD ["gunicorn", "-t", "9", "a:b"]\nCMD gunicorn a:b \\\n  --timeout 90\n',
        [("gunicorn", 90.0, 3)],
    ),
    "Dockerfile: a shell": (
        "Dockerfile",
        'ENTRYPOINT ["sh", "-c", "timeout 30 python x.py && echo"]\n',
        [("timeout", 30.0, 1)],
    ),
    "celery on a command line": ("Procfile", "w: celery -A a worker --time-limit=300\n", [("celery", 300.0, 1)]),
    "celery: its app": (
        "celery_app.py",
        "from celery import Celery\napp = Celery()\napp.conf.task_time_limit = 5 * 60\n",
        [("celery", 300.0, 3)],
    ),
    "celery: update": (
        "tasks.py",
        "import celery\napp = celery.Celery()\napp.conf.update(\n  task_time_limit=40)\n",
        [("celery", 40.0, 4)],
    ),
    "celery: a task": (
        "tasks.py",
        "from celery import shared_task\n@shared_task(time_limit=20, soft_time_limit=10)\ndef run(): ...\n",
        [("celery", 20.0, 2)],
    ),
    "celery: Django": ("settings.py", "CELERY_TASK_TIME_LIMIT = 25\n", [("celery", 25.0, 1)]),
    "no celery": ("tasks.py", "task_time_limit = 25\n", []),
    "serverless": (
        "serverless.yml",
        "provider:\n  timeout: 29\nfunctions:\n  a:\n    handler: h.a\n  b:\n    timeout: 100\n",
        [("serverless", 29.0, 2), ("serverless", 100.0, 7)],
    ),
    "serverless: its default": ("serverless.yml", "functions:\n  a:\n    handler: h.a\n", [("serverless", 6.0, 3)]),
    "SAM": (
        "template.yaml",
        (
            "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n"
            "    Properties:\n      Role: !GetAtt R.Arn\n      Timeout: 60\n"
        ),
        [("AWS SAM", 60.0, 7)],
    ),
    "vercel": ("vercel.json", '{"functions": {"api/a.py": {\n"maxDuration": 60}}}', [("vercel", 60.0, 2)]),
    "kubernetes: a job": (
        "k8s/job.yaml",
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: crew}\nspec:\n  activeDeadlineSeconds: 600\n",
        [("kubernetes", 600.0, 5)],
    ),
    "kubernetes: a cron job and an ingress": (
        "k8s/a/all.yml",
        (
            "apiVersion: batch/v1\nkind: CronJob\nspec:\n  jobTemplate:\n    spec:\n"
            "      activeDeadlineSeconds: 60\n---\n"
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  annotations:\n"
            '    nginx.ingress.kubernetes.io/proxy-read-timeout: "75"\n'
        ),
        [("kubernetes", 60.0, 6), ("nginx ingress", 75.0, 12)],
    ),
    "knative": (
        "service.yaml",
        "apiVersion: serving.knative.dev/v1\nkind: Service\nspec:\n  template:\n    spec:\n      timeoutSeconds: 300\n",
        [("knative", 300.0, 6)],
    ),
    "helm: a template is no YAML": ("k8s/job.yaml", "apiVersion: v1\nkind: {{ .Values.kind }}\n{{- end }}\n", []),
    "agents are no manifest": ("agents.yaml", "a:\n  role: r\n  timeout: 3\n", []),
    "workflow: the crew's job alone": (
        ".github/workflows/a.yml",
        (
            "jobs:\n  test:\n    timeout-minutes: 1\n    steps:\n      - run: pytest\n  go:\n    timeout-minutes: 10\n"
            "    steps:\n      - run: python src/house/crew.py\n        timeout-minutes: 5\n"
        ),
        [("workflow", 600.0, 7), ("workflow", 300.0, 10)],
    ),
    "workflow: crewai run, and the default": (
        ".github/workflows/a.yml",
        "jobs:\n  go:\n    steps:\n      - run: crewai run\n",
        [("workflow", 21600.0, 3)],
    ),
    "workflow: its module": (
        ".github/workflows/a.yml",
        "jobs:\n  go:\n    timeout-minutes: 2\n    steps:\n      - run: uv run python -m house.crew\n",
        [("workflow", 120.0, 3)],
    ),
    "broken Python": ("gunicorn.conf.py", "timeout = (\n", []),
    "broken YAML": ("serverless.yml", "a: [\n", []),
    "not what it seems": ("serverless.yml", "functions: 3\n", []),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_file_says_its_limits_with_their_lines(case, tmp_path):
    name, text, expected = case
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)

    found = outer_limits(tmp_path, tmp_path / "src" / "house" / "crew.py")

    assert [(each.platform, each.timeout, each.location.line) for each in found] == [
        (platform, Seconds(value) if isinstance(value, float) else value, line) for platform, value, line in expected
    ]
    assert all(each.location.file == str(file) for each in found)


def test_nothing_of_the_files_is_run_and_other_peoples_are_left_alone(tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text("import sys\nopen('ran', 'w')\nsys.exit(3)\ntimeout = 5\n")
    foreign = tmp_path / "node_modules" / "gunicorn.conf.py"
    foreign.parent.mkdir()
    foreign.write_text("timeout = 1\n")

    found = outer_limits(tmp_path, tmp_path / "crew.py")

    assert [each.timeout for each in found] == [Seconds(5.0)]
    assert not (tmp_path / "ran").exists()


def test_a_command_that_starts_the_crew_is_surer_than_one_that_starts_something(tmp_path):
    (tmp_path / "Procfile").write_text("web: gunicorn app:app -t 20\nw: timeout 300 python crew.py\n")

    found = outer_limits(tmp_path, tmp_path / "crew.py")

    assert [(each.whom, each.sure) for each in found] == [("web", False), ("w", True)]
