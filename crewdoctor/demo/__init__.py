"""A small sick crew to try crewdoctor on: a shop whose stock service has stopped answering."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


def write(folder: Path, port: int) -> Path:
    """Write the project into `folder`; its service is said to listen on 127.0.0.1:`port`. Return the crew's file."""
    for source in sorted((HERE / "project").glob("*.txt")):
        target = folder / source.name.removesuffix(".txt")
        target.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / ".env").write_text(f"STOCK_URL=http://127.0.0.1:{port}\n", encoding="utf-8")
    return folder / "crew.py"
