"""Writes docs/loading.md from a run of every case in tests/e2e/loading/loading_cases."""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e" / "loading"))

from loading_cases import CASES  # noqa: E402
from loading_cases.run import run  # noqa: E402
from loading_cases.table import render  # noqa: E402

with tempfile.TemporaryDirectory() as folder:
    (ROOT / "docs" / "loading.md").write_text(render(run(CASES, folder)), encoding="utf-8")
