# Everything a fresh machine needs is Python >= 3.10 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SEED ?= 1
# Most tests wait for servers and processes: some modules at once; a module's tests share what it started.
JOBS ?= 4
QUICK_JOBS ?= 4
# Rows of the scoreboard played at once: most of a row is waiting.
SCORE_JOBS ?= 2
PYTEST = $(BIN)/python -m pytest -q -n $(JOBS) --dist loadscope --no-loadscope-reorder
# Compiled files go beside the project, whatever the environment says of bytecode.
RUN := env -u PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX=$(CURDIR)/.cache/pyc

.PHONY: setup quick test test-long demo scoreboard scoreboard-run bench-probe-llm bench-recorder bench-ground-truth bench-preflight bench-hook facts matrix matrix-versions lock docs clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

quick: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(RUN) $(PYTEST) -n $(QUICK_JOBS) -m "not crewai and not netns and not lab" tests/contracts tests/unit tests/wire tests/timeline tests/report tests/cli tests/net tests/rules tests/probes

test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(RUN) $(PYTEST) -m "not long"

# What `make test` plays one of each kind of.
test-long: $(STAMP)
	$(RUN) $(PYTEST) -m long

# The sick crew's diagnosis must exit 1 with the expected first finding; any other outcome fails.
demo: $(STAMP)
	$(RUN) $(BIN)/python fixtures/demo.py

scoreboard: $(STAMP)
	$(RUN) $(BIN)/python fixtures/scoreboard.py --seed $(SEED) --jobs $(SCORE_JOBS)

# The same crews as programs under `crewdoctor run`. A row may show less there: nothing is probed.
scoreboard-run: $(STAMP)
	$(RUN) $(BIN)/python fixtures/scoreboard.py --run --bare 0 --seed $(SEED) --jobs $(SCORE_JOBS)

# What rules believe of crewai and its SDKs, measured on the installed versions; a claim that does not hold fails.
facts: $(STAMP)
	$(RUN) $(BIN)/python fixtures/facts

bench-probe-llm: $(STAMP)
	$(RUN) $(BIN)/python fixtures/bench_probe_llm.py

# A healthy crew's preflight without a model's call, against `import crewai` alone.
bench-preflight: $(STAMP)
	$(RUN) $(BIN)/python fixtures/bench_preflight.py

# What the recorder sees of each client library, from real calls to local servers: docs/clients.md.
matrix: $(STAMP)
	$(RUN) $(BIN)/python fixtures/matrix_clients.py

# What the hook of `crewdoctor hook-path` costs a start of Python; 1 ms or more without its variable fails.
bench-hook: $(STAMP)
	$(RUN) $(BIN)/python fixtures/bench_hook.py

# Requests with and without the recorder, beside OpenTelemetry's instrumentations in an environment of its own under
# .cache; a crew with and without; the memory of a million spans. PARTS="requests crew memory" are all of it.
bench-recorder: $(STAMP)
	$(RUN) $(BIN)/python fixtures/bench_recorder.py $(PARTS)

# Recorded phases beside the server's own stamps, and beside what this machine oversleeps.
bench-ground-truth: $(STAMP)
	$(RUN) $(BIN)/python fixtures/ground_truth.py

# Crews in environments of their own: crewai 1.0 to the newest, Python 3.10 to 3.13; half a gigabyte each under .cache.
matrix-versions: $(STAMP)
	$(RUN) $(BIN)/python fixtures/matrix_versions.py

docs: $(STAMP)
	$(BIN)/python docs/generate.py
	$(RUN) $(BIN)/python docs/generate_loading.py

lock: $(STAMP)
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.10 --group dev pyproject.toml -o requirements.lock --quiet

clean:
	rm -rf .cache .pytest_cache .mypy_cache .ruff_cache
