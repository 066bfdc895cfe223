"""What the code says of itself is what the pages say: `make docs` after a change."""

from __future__ import annotations

import difflib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crewdoctor import rulebook
from crewdoctor.report import formats

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<img[^>]* src=\"([^\"]+)\"")

_spec = importlib.util.spec_from_file_location("crewdoctor_docs", ROOT / "docs" / "generate.py")
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


def test_the_generated_pages_are_those_of_this_code():
    made, wrong = generate.files(), generate.stale()
    shown = [
        line
        for path in wrong[:3]
        for line in difflib.unified_diff(path.read_text("utf-8").splitlines(), made.get(path, "").splitlines(), n=0)
        if path.exists()
    ]

    assert [str(path.relative_to(ROOT)) for path in wrong] == [], "\n".join(["run `make docs`", *shown[:20]])


def test_generating_gives_the_same_whatever_the_order_of_a_set():
    told = "import hashlib, runpy; made = runpy.run_path('docs/generate.py')['files']();"
    told += "print(hashlib.sha256(repr(sorted((str(path), text) for path, text in made.items())).encode()).hexdigest())"
    sums = {
        subprocess.run(
            [sys.executable, "-c", told],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(sums) == 1


def test_every_rule_has_its_page_and_stands_in_the_list():
    index = (ROOT / "docs" / "rules" / "README.md").read_text(encoding="utf-8")

    for card in rulebook.cards():
        assert f"[{card.code}]({card.code}.md) | `{card.slug}`" in index
        assert (ROOT / "docs" / "rules" / f"{card.code}.md").exists()


def test_every_command_and_flag_is_told():
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")

    for name, command in generate.commands(generate.get_command(generate.command_line.app)):
        section = text.partition(f"## crewdoctor {name}\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert f"`{option}`" in section


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in (found[1] or found[2] for found in LINK.finditer(page.read_text(encoding="utf-8"))):
        if target.startswith(("https:", "http:", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_pictures_are_small_and_fetch_nothing():
    pictures = sorted((ROOT / "docs" / "pictures").glob("*.svg"))

    assert pictures
    for picture in pictures:
        text = picture.read_text(encoding="utf-8")
        assert len(text) < 40_000
        assert "url(http" not in text.replace('"', "")
        assert "font-face" not in text


def test_every_format_is_told_in_the_recipes_of_ci():
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")

    for name in formats.formats():
        assert f"`{name}`" in text
