def run(step, bench):
    with bench.span("tool.call", subject="tool:search", n=1) as span:
        with bench.span("net.exchange", host="h") as inner:
            inner.note(received_bytes=3)
        span.note(output_chars=2)
    bench.event("done", answer=42)
    bench.fact("seconds", 0.5)
