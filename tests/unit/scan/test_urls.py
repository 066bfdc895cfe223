"""Which URLs a function names, and which it only begins."""

import textwrap

import pytest

from crewdoctor.scan.module import read_module
from crewdoctor.scan.urls import urls_in


def urls(tmp_path, expression):
    file = tmp_path / "tools.py"
    file.write_text(
        textwrap.dedent(f"""
        import os
        BASE = "http://base.local:8000"

        def tool(subject, path):
            return ask({expression})
        """)
    )
    module = read_module(str(file))
    return [url for url, _ in urls_in(module, module.functions["tool"], {}, {})]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ('"http://a.local:8080/rows"', ["http://a.local:8080"]),
        ('f"http://a.local/{subject}"', ["http://a.local"]),
        ('f"http://a.local{path}"', ["http://a.local"]),
        ('f"http://a.local?q={subject}"', ["http://a.local?q="]),
        ("f\"http://localhost:{os.environ['PORT']}/rows\"", []),
        ('f"http://{subject}:80/rows"', []),
        ('f"http://api.{subject}.example.com/rows"', []),
        ('f"http://api{subject}.example.com/rows"', []),
        ('"http://localhost:" + path', []),
        ('BASE + "/rows"', ["http://base.local:8000"]),
    ],
)
def test_a_host_or_port_that_is_not_known_is_no_endpoint(tmp_path, expression, found):
    assert urls(tmp_path, expression) == found
