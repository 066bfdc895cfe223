"""Waits for an answer that never comes, in a function of its own."""

import socket


def ask(address):
    with socket.create_connection(address) as connection:
        connection.sendall(b"hello?")
        return connection.recv(100)


def run(step, bench):
    with bench.span("tool.call", subject="tool:search"):
        ask(("127.0.0.1", step.args["port"]))
