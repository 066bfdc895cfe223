def run(step, bench):
    with bench.span("tool.call", subject="tool:busy"):
        while True:
            sum(range(1000))
