"""One diagnosis from the command line: options merged, progress to stderr, report to stdout, exit code returned."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crewdoctor.cli import outputs
from crewdoctor.cli.progress import Screen
from crewdoctor.cli.recording_file import recording_file
from crewdoctor.config import Configured, configure, table
from crewdoctor.model.options import Options
from crewdoctor.model.refusal import USAGE, Refusal
from crewdoctor.wire.redact import learn_environment


@dataclass(frozen=True, slots=True)
class Telling:
    """How the user wants to be told."""

    formats: list[str] | None = None
    files: list[Path] | None = None
    color: str = "auto"
    verbosity: int = 0


def inputs(text: str | None, file: Path | None) -> str | dict[str, Any] | None:
    """The crew's inputs. Raises Refusal when both are given or the file cannot be read."""
    if file is None:
        return text
    if text is not None:
        raise Refusal("--inputs and --inputs-file: give one of them")
    try:
        return table(file.read_text(encoding="utf-8"), f"--inputs-file {file}")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Refusal(f"--inputs-file {file}: cannot be read: {reason}") from None


@dataclass(frozen=True, slots=True)
class Asked:
    """One command: its target, its scope and what only it knows."""

    target: str = ""
    scope: str = "diagnose"
    known: Mapping[str, Any] = field(default_factory=dict)
    """Options no file or variable sets: `tool`, `hosts`, `model`, `no_llm`, `with_crew`."""
    defaults: Mapping[str, Any] = field(default_factory=dict)


def options(asked: Asked, given: Mapping[str, Any], verbosity: int) -> Configured:
    """Merge everything there is; the config file is looked for from the target's folder upwards. Raises Refusal."""
    target = asked.target
    path = Path(target.rpartition(":")[0] or target) if not Path(target).exists() else Path(target)
    folder = path if path.is_dir() else path.parent
    known = {
        "target": target,
        "scope": asked.scope,
        "verbosity": verbosity,
        "interactive": sys.stdout.isatty() and sys.stderr.isatty(),
        **asked.known,
    }
    return configure(
        given, environment=os.environ, folder=folder.absolute(), known=known, defaults=dict(asked.defaults)
    )


def diagnose(asked: Asked, given: Mapping[str, Any], recording: Path | None, told: Telling) -> int:
    """Diagnose what the command asks for, tell, and return the exit code. Raises Refusal."""
    from crewdoctor import pipeline
    from crewdoctor.target import MINIMAL

    learn_environment(os.environ)
    chosen = outputs.outlets(told.formats, told.files)
    outputs.color_of(told.color)
    configured = options(asked, given, told.verbosity)
    merged = configured.options
    minimal = pipeline.project_of(merged).target == str(MINIMAL)
    screen = Screen(
        sys.stderr,
        quiet=told.verbosity < 0,
        color=outputs.colored(sys.stderr, told.color),
        deadline=merged.deadline,
    )
    for warning in configured.warnings:
        screen.say(warning)
    if told.verbosity > 1:
        for name, origin in sorted(configured.origins.items()):
            screen.say(f"option {name} from {origin}")
    if merged.dry_run:
        return _dry_run(merged, recording, chosen, told)
    file = recording_file(recording)
    screen.say(f"recording: {file}")
    if minimal:
        screen.say("no crew here: a minimal one, on the model the environment names")
    with screen:
        report = pipeline.diagnose(merged, recording_path=file, progress=screen.show, announce=screen.announce)
        if report.exit_code == USAGE and report.crew:  # it loaded, so no line of progress has said what is missing
            screen.say(f"{report.verdict}; give them with --inputs or --inputs-file")
    outputs.write(report, chosen, color=told.color, verbosity=told.verbosity, recording=file)
    return report.exit_code


def _dry_run(merged: Options, recording: Path | None, chosen: tuple[outputs.Outlet, ...], told: Telling) -> int:
    """Tell the plan. Its recording is kept only where somebody named a file for it: nothing was measured."""
    from crewdoctor import pipeline
    from crewdoctor.report import plan_text

    with tempfile.TemporaryDirectory(prefix="crewdoctor-") as scratch:
        file = recording_file(recording) if recording else Path(scratch) / "recording.jsonl"
        inventory, plans, report = pipeline.dry_run(merged, recording_path=file)
    if inventory is None or report.exit_code:
        outputs.write(report, chosen, color=told.color, verbosity=told.verbosity)
    else:
        sys.stdout.write(plan_text.render(inventory, plans, merged))
    return report.exit_code
