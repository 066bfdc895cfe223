"""What `make facts` says: which rule leans on what, and that a claim that does not hold makes it fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FACTS = ROOT / "fixtures" / "facts"


def facts(*arguments: str, path: Path = FACTS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(path), *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_every_rule_that_exists_and_leans_on_crewais_ways_is_named() -> None:
    leaning = set(re.findall(r"^CD\d{3}", facts("--rules").stdout, re.MULTILINE))

    assert {"CD201", "CD202", "CD203", "CD204", "CD205", "CD213", "CD214", "CD401", "CD406", "CD501"} <= leaning


@pytest.mark.crewai
def test_a_claim_that_does_not_hold_fails(tmp_path: Path) -> None:
    (tmp_path / "facts").mkdir()
    (tmp_path / "lab").symlink_to(FACTS.parent / "lab")
    for each in FACTS.iterdir():
        (tmp_path / "facts" / each.name).symlink_to(each)
    (tmp_path / "facts" / "claims").unlink()
    (tmp_path / "facts" / "claims").mkdir()
    claim = "from claim import claim\n\n@claim('s', expected='kept', rules='CD406')\ndef one(): return {!r}\n"
    (tmp_path / "facts" / "claims" / "__init__.py").touch()
    (tmp_path / "facts" / "claims" / "a.py").write_text(claim.format("kept"))
    (tmp_path / "facts" / "claims" / "b.py").write_text(claim.format("dropped"))

    ran = facts(path=tmp_path / "facts")

    assert ran.returncode == 1
    assert ran.stdout.splitlines()[-1] == "RESULT facts 2 1 short"
    assert "SHORT b.one" in ran.stdout
    assert facts("a", path=tmp_path / "facts").returncode == 0
