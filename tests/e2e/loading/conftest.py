"""Projects written to a folder and loaded, each in its own fork of one process that imported crewai."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BARE = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("OPENAI", "CREWDOCTOR", "MODEL")) and not name.lower().endswith("_proxy")
}


class Projects:
    """Write projects, then load them all at once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cases = folder, []

    def add(self, name, files, target="crew.py", *, inputs=None, environment=None, seconds=60, llm="auto", without=()):
        root = self.folder / name
        for path, text in files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text), encoding="utf-8")
        self.cases.append(
            {
                "name": name,
                "args": {"target": str(root / target), "project_root": str(root), "inputs": inputs or {}, "llm": llm},
                "environment": environment or {},
                "seconds": seconds,
                "without": list(without),
            }
        )

    def load(self):
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("load_many.py")), str(ROOT)],
            input="\n".join(json.dumps(case) for case in self.cases),
            capture_output=True,
            text=True,
            check=True,
            env=BARE,
            cwd=self.folder,
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        crashed = [answer["crash"] for answer in answers if "crash" in answer]
        assert not crashed, crashed[0]
        return {answer["name"]: answer for answer in answers}


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    return Projects(tmp_path_factory.mktemp("projects"))
