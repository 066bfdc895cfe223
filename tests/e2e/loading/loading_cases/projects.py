"""Projects written to a folder and loaded, each in its own fork of one process that imported crewai."""

import json
import os
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Step
from crewdoctor.model.recording import Header, Recording
from crewdoctor.model.refusal import Refusal
from crewdoctor.model.result import Status, StepResult
from crewdoctor.report.exit_code import exit_code
from crewdoctor.target import find_project
from crewdoctor.wire.codec import decode

ROOT = Path(__file__).resolve().parents[4]
BARE = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("OPENAI", "CREWDOCTOR", "MODEL", "REDIS")) and not name.lower().endswith("_proxy")
}


_NOBODYS = "import sys; exec(compile(open(sys.argv[2]).read(), '<load_many>', 'exec'))"
"""The harness counts as no code of the user's: where a load stands is never in it."""


class Projects:
    """Write projects, then load them all at once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cases, self.refused = folder, [], {}

    def add(self, name, files, target="crew.py", *, inputs=None, environment=None, seconds=60, llm="auto", without=()):
        root = self.write(name, files)
        self._add(name, str(root / target), str(root), inputs, environment, seconds, llm, without)

    def find(self, name, files, target, *, inputs=None, environment=None, seconds=60, llm="auto"):
        """As the command line does it, in the project's folder: a target that names nothing is refused at once."""
        root = self.write(name, files)
        try:
            with _inside(root):
                found = find_project(Options(target=target, python=sys.executable))
        except Refusal as refusal:
            self.refused[name] = {"name": name, "refusal": refusal.sentence, "exit": refusal.exit_code}
            return
        self._add(name, found.target, str(found.root), inputs, environment, seconds, llm, ())

    def write(self, name, files):
        root = self.folder / name
        for path, text in files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text), encoding="utf-8")
        return root

    def _add(self, name, target, root, inputs, environment, seconds, llm, without):
        self.cases.append(
            {
                "name": name,
                "args": {"target": target, "project_root": root, "inputs": inputs or {}, "llm": llm},
                "environment": environment or {},
                "seconds": seconds,
                "without": list(without),
            }
        )

    def load(self):
        done = subprocess.run(
            [sys.executable, "-c", _NOBODYS, str(ROOT), str(Path(__file__).parents[1] / "load_many.py")],
            input="\n".join(json.dumps(case) for case in self.cases),
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # what a target prints is its own affair
            check=True,
            env=BARE,
            cwd=self.folder,
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        crashed = [answer["crash"] for answer in answers if "crash" in answer]
        assert not crashed, crashed[0]
        found = {answer["name"]: {**answer, "exit": _exit(answer)} for answer in answers}
        lost = {case["name"] for case in self.cases} - set(found)
        assert not lost, f"no answer from {lost}"
        return found | self.refused


def _exit(answer):
    """The code a dry run of it would end with."""
    step = Step("inspect@crew", "inspect", Layer.SETTINGS, "crew", "crew", 60.0)
    status = Status.FAILED if "refused" in answer else Status.OK
    result = StepResult(step, status, 0.0, 1.0, facts=answer["facts"])
    inventory = decode(Inventory, answer["inventory"]) if answer["inventory"] else None
    return exit_code(Recording(Header(options=Options(dry_run=True)), inventory, results=(result,)), ())


@contextmanager
def _inside(folder):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
