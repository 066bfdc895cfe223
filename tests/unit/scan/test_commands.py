"""Which child processes wait for somebody on the network."""

from __future__ import annotations

import ast

import pytest

from crewdoctor.scan.commands import outward_program
from crewdoctor.scan.module import read_module
from crewdoctor.scan.values import Scope


@pytest.mark.parametrize(
    ("call", "program"),
    [
        ('run(["curl", "-s", url])', "curl"),
        ('run(["/usr/bin/curl", "-s", "http://x"])', "curl"),
        ('run("curl -s http://x | jq .", shell=True)', "curl"),
        ('run(args=["wget", "http://x"])', "wget"),
        ('run(["sudo", "ssh", "host", "uptime"])', "ssh"),
        ('run("A=1 git clone http://x")', "git"),
        ('run(["curl", "-m", "10", "http://x"])', ""),
        ('run(["curl", "--max-time=10", "http://x"])', ""),
        ('run(["ssh", "-o", "ServerAliveInterval=5", "host"])', ""),
        ('run(["git", "log"])', ""),
        ('run(["sort", "rows.txt"])', ""),
        ("run(command)", ""),
        ("run()", ""),
    ],
)
def test_a_program_that_waits_for_a_peer_is_named(tmp_path, call, program):
    file = tmp_path / "tools.py"
    file.write_text(f"def tool(url, command):\n    {call}\n")
    module = read_module(str(file))
    function = module.function_at(1)
    node = next(each for each in ast.walk(function) if isinstance(each, ast.Call))

    assert outward_program(node, Scope(module, function)) == program
