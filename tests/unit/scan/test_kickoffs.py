"""How a source starts its crew many times at once, and on whose threads."""

import pytest

from crewdoctor.scan.kickoffs import kickoffs_in

EACH = "async def main():\n    await crew.kickoff_for_each_async(inputs=INPUTS)\n\nasyncio.run(main())\n"
GATHER = "async def main():\n    {}await asyncio.gather(*(crew.{}(each) for each in INPUTS))\n"
POOL = "with ThreadPoolExecutor({}) as pool:\n    pool.map(lambda each: build().kickoff(inputs=each), INPUTS)\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (EACH, ("async-each", "default", 0, 2)),
        (EACH.replace("kickoff_for", "akickoff_for").replace("_async", ""), ("akickoff-each", "default", 0, 2)),
        (GATHER.format("", "kickoff_async"), ("gather", "default", 0, 2)),
        (GATHER.format("", "akickoff"), ("akickoff-each", "default", 0, 2)),
        ("await asyncio.gather(*(asyncio.to_thread(crew.kickoff, each) for each in X))", ("gather", "default", 0, 1)),
        (POOL.format(""), ("threads", "default", 0, 2)),
        (POOL.format("max_workers=8"), ("threads", "sized", 8, 2)),
        ("SIZE = 12\n" + POOL.format("SIZE"), ("threads", "sized", 12, 3)),
        (POOL.format("os.cpu_count()"), ("threads", "unknown", 0, 2)),
        ("Thread(target=crew.kickoff).start()", ("threads", "", 0, 1)),
        ("with ProcessPoolExecutor(4) as pool:\n    pool.submit(crew.kickoff)", ("processes", "", 0, 2)),
        (
            GATHER.format("loop.set_default_executor(ThreadPoolExecutor(64)); ", "kickoff_async"),
            ("gather", "sized", 64, 2),
        ),
        (
            "pool = ThreadPoolExecutor(max_workers=20)\nloop.set_default_executor(pool)\n" + EACH,
            ("async-each", "sized", 20, 4),
        ),
        ("loop.set_default_executor(make_pool())\n" + EACH, ("async-each", "unknown", 0, 3)),
    ],
)
def test_the_style_the_pool_and_the_line(tmp_path, source, expected):
    file = tmp_path / "crew.py"
    file.write_text(source)
    found = kickoffs_in(str(file))

    assert (found.style, found.pool, found.workers, found.line) == expected
    assert "kickoff" in found.source


@pytest.mark.parametrize(
    "source", ["print(crew.kickoff())\n", "for each in INPUTS:\n    crew.kickoff(each)\n", "def kickoff(:\n", ""]
)
def test_one_after_the_other_is_no_style(tmp_path, source):
    file = tmp_path / "crew.py"
    file.write_text(source)

    assert kickoffs_in(str(file)) is None


def test_a_program_beside_the_crew_is_read_too(tmp_path):
    (tmp_path / "crew.py").write_text("crew = 1\n")
    (tmp_path / "main.py").write_text(EACH)

    assert kickoffs_in(str(tmp_path / "crew.py")).file == str(tmp_path / "main.py")
