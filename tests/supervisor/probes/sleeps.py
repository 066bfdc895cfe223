import time


def run(step, bench):
    with bench.span("tool.call", subject=f"tool:{step.subject}"):
        time.sleep(step.args.get("seconds", 600))
