"""The command line: commands registered, exit codes mapped, once, here (law 14). Importing it loads Typer only."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from crewdoctor import __version__
from crewdoctor.cli.analyse import analyse
from crewdoctor.cli.config_show import config
from crewdoctor.cli.demo import demo
from crewdoctor.cli.diagnose import diagnose
from crewdoctor.cli.endpoint import endpoint
from crewdoctor.cli.explain import explain
from crewdoctor.cli.hook_path import hook_path
from crewdoctor.cli.preflight import preflight
from crewdoctor.cli.probe_llm import probe_llm
from crewdoctor.cli.probe_net import probe_net
from crewdoctor.cli.probe_tool import probe_tool
from crewdoctor.cli.rules import rules
from crewdoctor.cli.run import run as run_program
from crewdoctor.cli.scale import scale
from crewdoctor.cli.settings import settings
from crewdoctor.model.refusal import USAGE, Refusal

SIGINT, SIGPIPE = 130, 141
DEFECT = 70
"""sysexits.h EX_SOFTWARE: crewdoctor itself is broken. None of the codes that say something about a crew."""


def examples(*commands: str) -> str:
    """What closes a page of help: command lines that work as they stand."""
    return "\n".join(("\b", "Examples:", *(f"  crewdoctor {each}" for each in commands)))


app = typer.Typer(
    name="crewdoctor",
    help="The timeout diagnostic for CrewAI: which layer hangs, which setting is mismatched, and the fix.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("demo", "diagnose crew.py", "diagnose --help"),
)
for _command, _shown in (
    (diagnose, ("crew.py", 'crew.py:crew --inputs \'{"topic": "tea"}\'', "crew.py --dry-run")),
    (preflight, ("crew.py --no-llm", "crew.py -o report.xml")),
    (settings, ("crew.py", "crew.py --outer 60s")),
    (scale, ("crew.py", "crew.py --dry-run", "crew.py --llm own --max-llm-calls 200 --max-concurrency 8")),
    (probe_llm, ("", "--model gpt-4o-mini", "--base-url http://127.0.0.1:11434/v1 --model llama3.1")),
    (probe_net, ("api.openai.com", "https://api.example.com 10.0.0.7:5432")),
    (probe_tool, ('crew.py search --arguments \'{"query": "tea"}\'',)),
    (analyse, ("recording.jsonl -v", "recording.jsonl -o report.json")),
    (explain, ("CD304",)),
    (rules, ("",)),
    (endpoint, ("--port 8000 --first-token 2s", "--fault 500:0.1 --rate-limit 3/min")),
    (demo, ("", "shop")),
):
    _named = _command.__name__.replace("_", "-")
    app.command(epilog=examples(*(f"{_named} {each}".rstrip() for each in _shown)))(_command)
_recorded = {"ignore_unknown_options": False, "allow_interspersed_args": False}
_run_examples = examples("run -- python main.py", "run -o report.md -- uvicorn app:app")
app.command("run", context_settings=_recorded, epilog=_run_examples)(run_program)
app.command(epilog=examples("hook-path"))(hook_path)
app.add_typer(config, name="config")

_UsageTrouble: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException" and issubclass(kind, Exception)
)
"""click's, or the copy of click newer Typers carry."""


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"crewdoctor {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=lambda value: _version(wanted=value)
        ),
    ] = False,
) -> None:
    """Say what stands above every command."""


def run(arguments: Sequence[str]) -> int:
    """Run one command and return the exit code of the process."""
    try:
        code = app(args=list(arguments) or ["--help"], prog_name="crewdoctor", standalone_mode=False)
        sys.stdout.flush()
    except Refusal as refusal:
        return _say(refusal.sentence, refusal.exit_code)
    except typer.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted before there was anything to report", SIGINT)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SIGPIPE
    except _UsageTrouble as trouble:
        return _say(_usage(trouble), USAGE)
    except Exception as error:
        if os.environ.get("CREWDOCTOR_TRACEBACK"):
            raise
        sentence = f"crewdoctor itself failed ({type(error).__name__}: {error}); CREWDOCTOR_TRACEBACK=1 shows where"
        return _say(sentence, DEFECT)
    return code if isinstance(code, int) else 0


def _usage(trouble: Any) -> str:
    """What click says on four lines, in one sentence."""
    told = " ".join(str(trouble.format_message()).split()).rstrip(".")
    where = getattr(getattr(trouble, "ctx", None), "command_path", "") or "crewdoctor"
    return f"{told[:1].lower()}{told[1:]}; see `{where} --help`" if told else f"no command given; see `{where} --help`"


def _say(sentence: str, code: int) -> int:
    from crewdoctor.wire.redact import clean, redact

    typer.echo(f"crewdoctor: {clean(redact(sentence))}", err=True)
    return code
