def run(step, bench):
    raise ValueError("what\nhappened")
