"""All cases, written, loaded, and said in words that are the same wherever they ran."""

import platform
import re
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

from loading_cases.projects import Projects


def run(cases, folder):
    """Case name to what came of it; ports and folders under fixed names."""
    projects = Projects(Path(folder))
    with ExitStack() as held:
        closed = held.enter_context(socket.socket())
        closed.bind(("127.0.0.1", 0))  # bound and never listening: connections are refused
        silent = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        ports = {"{closed}": str(closed.getsockname()[1]), "{silent}": str(silent.getsockname()[1])}
        for name, case in cases.items():
            files = {path: _with(ports, text) for path, text in case.files.items()}
            options = {"inputs": case.inputs, "environment": case.environment, "seconds": case.seconds, "llm": case.llm}
            projects.find(name, files, case.target, **options)
        answers = projects.load()
    names = {port: word for word, port in ports.items()}
    return {name: outcome(answers[name], names, projects.folder / name) for name in cases}


def _with(ports, text):
    for word, port in ports.items():
        text = text.replace(word, port)
    return text


def outcome(answer, names, root):
    """What a table or an expectation speaks of."""

    def same(text):
        for port, word in names.items():
            text = text.replace(f":{port}", f":{word}")
        text = text.replace(f"{root}/", "").replace(str(root), "the project")
        text = text.replace(sys.executable, "the crew's Python").replace(platform.python_version(), "3.x")
        return re.sub(r"after \d+ s", "after some seconds", text)

    if "refusal" in answer:
        sentence, _, way_out = answer["refusal"].partition("; ")
        return {"kind": "refused", "exit": answer["exit"], "sentence": same(sentence), "way_out": same(way_out)}
    failure = answer["failures"][0] if answer["failures"] and answer["failures"][-1] is not None else None
    if failure is not None:
        told = {name: same(failure[name]) for name in ("kind", "sentence", "way_out")}
        return {**told, "exit": answer["exit"]}
    inventory = answer["inventory"]
    return {
        "shape": inventory["shape"],
        "exit": answer["exit"],
        "inputs": answer["inputs"],
        "missing": [each for each in inventory["inputs_required"] if each not in answer["inputs"]],
        "notes": [f"{each['subject']}: {same(each['reason'])}" for each in inventory["unexamined"]],
        "endpoints": [each["subject"] for each in inventory["endpoints"]],
        "agents": [each["subject"] for each in inventory["agents"]],
        "models": [each["subject"] for each in inventory["llms"]],
        "threads": len(answer["threads"]),
        "kickoff": answer["kickoff"],
        "human": [each["subject"] for each in inventory["tasks"] if each["human_input"]],
    }
