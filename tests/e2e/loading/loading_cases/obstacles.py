"""What is in the way of an import: survived, and named with the way out."""

from loading_cases.case import CREW, MADE, Case

WHOLE = f"{CREW}\ncrew = {MADE}"
# Whoever kills an import that never ends is the supervisor; here it ends by itself, after the deadline was spoken of.
SILENT = "import urllib.request\nurllib.request.urlopen('http://localhost:{silent}/', timeout=6)\n"
REFUSED = "import urllib.request\nurllib.request.urlopen('http://localhost:{closed}/')\n"
CLICK = """
import click
try:
    import spam_tool_sdk
except ImportError:
    click.confirm("You are missing the 'spam-tool-sdk' package. Would you like to install it?")
"""
REDIS = "class Redis:\n    @classmethod\n    def from_url(cls, url):\n        raise SystemExit('it was asked')\n"

CASES = [
    Case(
        "connects, is refused",
        {"crew.py": REFUSED + WHOLE},
        kind="contacts",
        exit=3,
        sentence="it contacts localhost:{closed} while it is imported (crew.py:2), and that fails",
        way_out="make localhost:{closed} reachable",
    ),
    Case(
        "connects, hears nothing",
        {"crew.py": SILENT},
        seconds=3,
        environment={"PYTHONUNBUFFERED": "1"},
        kind="contacts",
        exit=3,
        sentence="of loading it still waits for localhost:{silent} (crew.py:2)",
        way_out="runs at kickoff",
    ),
    Case(
        "imports for ever",
        {"crew.py": "import time\nfor _ in range(60):\n    time.sleep(.1)\n1 / 0"},
        seconds=3,
        kind="deadline",
        exit=3,
        sentence="it is still being loaded (crew.py:3)",
        way_out="runs at kickoff",
    ),
    Case("imports slowly", {"crew.py": f"import time\ntime.sleep(1)\n{WHOLE}"}, shape="module"),
    Case(
        "needs a file",
        {"crew.py": f"open('prompts/a.txt')\n{WHOLE}"},
        kind="missing_file",
        exit=3,
        sentence="it needs the file prompts/a.txt, which is not there (crew.py:1)",
        way_out="paths are relative to",
    ),
    Case(
        "asks with input()",
        {"crew.py": f"topic = input('Topic: ')\n{WHOLE}"},
        kind="reads_stdin",
        exit=3,
        sentence="it reads from standard input while it is loaded ('Topic:') (crew.py:1)",
        way_out="__main__",
    ),
    Case(
        "asks and asks",
        {"crew.py": "while True:\n    try:\n        input('Topic: ')\n    except EOFError:\n        pass"},
        kind="reads_stdin",
        exit=3,
        sentence="standard input while it is loaded ('Topic:') (crew.py:3)",
    ),
    Case(
        "asks with click",
        {"crew.py": f"import click\nclick.confirm('Go on?')\n{WHOLE}"},
        kind="reads_stdin",
        exit=3,
        sentence="it reads from standard input while it is loaded",
        way_out="__main__",
    ),
    Case(
        "a tool asks to install its package",
        {"crew.py": CLICK + WHOLE},
        kind="missing_package",
        exit=3,
        sentence="it needs the package `spam_tool_sdk`, which is not installed (crew.py:6)",
        way_out="pip install spam-tool-sdk",
    ),
    Case(
        "asks with getpass",
        {"crew.py": f"import getpass\ngetpass.getpass()\n{WHOLE}"},
        kind="reads_stdin",
        exit=3,
        sentence="it reads from standard input while it is loaded",
    ),
    Case(
        "calls sys.exit",
        {"crew.py": f"import sys\nsys.exit('bye')\n{WHOLE}"},
        kind="exits",
        exit=3,
        sentence="it calls sys.exit while it is loaded (crew.py:2) (bye)",
        way_out="crew.py:name",
    ),
    Case(
        "calls os._exit",
        {"crew.py": f"import os\nos._exit(7)\n{WHOLE}"},
        kind="exits",
        exit=3,
        sentence="it calls os._exit while it is loaded (crew.py:2)",
    ),
    Case(
        "replaces its process",
        {"crew.py": f"import os, sys\nos.execv(sys.executable, ['python', '-c', '1'])\n{WHOLE}"},
        kind="exits",
        exit=3,
        sentence="it calls os.execv while it is loaded (crew.py:2)",
    ),
    Case(
        "argparse without arguments",
        {
            "crew.py": "import argparse\np = argparse.ArgumentParser()\np.add_argument('topic')\np.parse_args()\n"
            f"{WHOLE}"
        },
        kind="exits",
        exit=3,
        sentence="it calls sys.exit while it is loaded (crew.py:4)",
    ),
    Case(
        "missing package",
        {"crew.py": f"import tools\n{WHOLE}", "tools.py": "import cv2"},
        kind="missing_package",
        exit=3,
        sentence="it needs the package `cv2`, which is not installed (tools.py:1)",
        way_out="pip install opencv-python",
    ),
    Case(
        "missing variable",
        {"crew.py": f"import os\nos.environ['SVC_HOST']\n{WHOLE}"},
        kind="missing_variable",
        exit=3,
        sentence="it needs the environment variable SVC_HOST, which is not set (crew.py:2)",
        way_out="export SVC_HOST=..., or put it into .env",
    ),
    Case(
        "variable in .env",
        {".env": "SVC_HOST=a\n", "crew.py": f"import os\nos.environ['SVC_HOST']\n{WHOLE}"},
        shape="module",
    ),
    Case(
        "key of a provider missing",
        {
            "crew.py": "from crewai import LLM\n"
            + WHOLE.replace("openai/gpt-4o", "openrouter/a/b").replace(', api_key="k-of-mine"', "")
        },
        kind="missing_variable",
        exit=3,
        sentence="OPENROUTER_API_KEY",
    ),
    Case(
        "the same, on the embedded model",
        {"crew.py": WHOLE.replace("openai/gpt-4o", "openrouter/a/b").replace(', api_key="k-of-mine"', "")},
        llm="auto",
        shape="module",
    ),
    Case(
        "starts a thread",
        {
            "crew.py": "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), "
            f"daemon=True).start()\n{WHOLE}"
        },
        shape="module",
    ),
    Case(
        "prints garbage",
        {
            "crew.py": "import os, sys\nprint('\\x1b[2J\\x00{\"k\": 1}' * 999)\nos.write(1, b'\\xff' * 99)\n"
            f"sys.stderr.write('x' * 9999)\n{WHOLE}"
        },
        shape="module",
    ),
    Case("closes its output", {"crew.py": f"import sys\nsys.stdout.close()\n{WHOLE}"}, shape="module"),
    Case("changes its folder", {"crew.py": f"import os\nos.chdir('/')\n{WHOLE}"}, shape="module"),
    Case(
        "changes its folder, then fails",
        {"crew.py": f"import os\nos.chdir('/')\n1 / 0\n{WHOLE}"},
        kind="raises",
        exit=3,
        sentence="it raises ZeroDivisionError: division by zero (crew.py:3)",
        way_out="python",
    ),
    Case(
        "catches BaseException",
        {"crew.py": f"{CREW}\ntry:\n    {MADE}.kickoff()\nexcept BaseException:\n    pass"},
        shape="kickoff captured",
    ),
    Case(
        "asyncio.run at import",
        {"crew.py": f"import asyncio\nasync def a():\n    await asyncio.sleep(0)\nasyncio.run(a())\n{WHOLE}"},
        shape="module",
    ),
    Case(
        "signal handlers",
        {
            "crew.py": "import signal\nfor each in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):\n"
            f"    signal.signal(each, signal.SIG_IGN)\n{WHOLE}"
        },
        shape="module",
    ),
    Case(
        "patches sys.excepthook and recursion",
        {"crew.py": f"import sys\nsys.excepthook = None\nsys.setrecursionlimit(9999)\n{WHOLE}"},
        shape="module",
    ),
    Case(
        "raises a BaseException of its own",
        {"crew.py": "class Stop(BaseException):\n    pass\nraise Stop('now')"},
        kind="raises",
        exit=3,
        sentence="it raises Stop: now (crew.py:3)",
    ),
    Case(
        "Redis lock store",
        {"redis/__init__.py": REDIS, "crew.py": WHOLE},
        environment={"REDIS_URL": "redis://locks.internal:6390/0"},
        shape="module",
    ),
    Case(
        "syntax error",
        {"crew.py": "x = 1\ndef broken(:\n"},
        kind="syntax",
        exit=3,
        sentence="crew.py:2: invalid syntax",
        way_out="correct it",
    ),
    Case(
        "no crew",
        {"crew.py": "x = 1"},
        kind="no_crew",
        exit=3,
        sentence="crew.py holds no crew",
        way_out="crew.py:name",
    ),
]
