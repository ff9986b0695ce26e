# `make demo`: set up and train LoRA on real data. `make test`: set up and run every test.
# `make faults`: more than 500 faults put into suites and searches. `make fuzz`: 100,000 examples of user input.
# `make bench`: the harness against a Trainer script and lm-evaluation-harness, on this machine.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
# A worker a core, each on one thread; every worker holds torch and its own bases, so not more than four.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal

.PHONY: demo test test-fast lint bench faults fuzz

demo: .venv/.runtime
	$(BIN)/python -m harness fetch minilm rotten_tomatoes
	$(BIN)/python -m harness run --method lora --task rotten_tomatoes --set task.train_limit=3000

test: $(INSTALLED)
	$(PYTEST)

test-fast: $(INSTALLED)
	$(PYTEST) -m "not slow"

bench: $(INSTALLED)
	$(BIN)/python -m harness fetch minilm smollm2-135m rotten_tomatoes openbookqa
	$(BIN)/python -m tests.bench.speed --out results/tables/speed.json
	$(BIN)/python -m tests.bench.verdict_cost --out results/tables/verdict_cost.json

faults: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.faults --out results/tables/faults.md

fuzz: $(INSTALLED)
	FUZZ_EXAMPLES=16200 $(PYTEST) tests/fuzz

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy harness methods benchmarks

# torch goes first and pinned: otherwise another package's range may pull a build with gigabytes of CUDA.
.venv/.runtime: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(INSTALLED): .venv/.runtime
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
