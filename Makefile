# `make demo`: set up and train LoRA on real data. `make test`: set up and run every test.
# `make faults`: more than 500 faults put into suites and searches. `make fuzz`: 100,000 examples of user input.
# `make threats`: every line that stops an attack, taken out to see its test fail.
# `make bench`: the harness against a Trainer script and lm-evaluation-harness, on this machine.
# `make results`: the published comparison in results/, made anew where its records are gone.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
# A worker a core, each on one thread; every worker holds torch and its own bases, so not more than four.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal

# What lies beyond accuracy, in its table and as axes of its figures.
BEYOND := general_loss_increase_nats,untrained_tasks_drop,similarity_drop,stereotype_shift,last_state_drift,typos_drop,attack_success,calibration_error,membership_auc,comprehensiveness_gain,latency_p50_seconds,run_joules_estimated,train_seconds
AXES := --quantity typos_drop --quantity calibration_error --quantity membership_auc --quantity train_seconds

.PHONY: demo test test-fast lint bench results results-encoder results-examples results-beyond results-decoder results-quantization faults threats fuzz

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

# The published comparison: what is not in results/encoder is run, then its tables and figures are made anew.
results: $(INSTALLED) results-encoder results-examples results-beyond results-decoder results-quantization

results-encoder: $(INSTALLED)
	$(BIN)/python -m harness fetch minilm rotten_tomatoes trec sms_spam bbc_news
	env -u HARNESS_DATA_DIR $(BIN)/python -m harness suite benchmarks/suites/encoder.toml --workers 2 --results results/encoder
	$(BIN)/python -m harness table benchmarks/suites/encoder.toml --results results/encoder > results/tables/encoder.md
	$(BIN)/python -m harness table benchmarks/suites/encoder.toml --results results/encoder --format latex > results/tables/encoder.tex
	$(BIN)/python -m harness table benchmarks/suites/encoder.toml --results results/encoder --format csv > results/tables/encoder.csv
	$(BIN)/python -m tests.bench.first_look results/encoder > results/tables/encoder_first_look.csv
	$(BIN)/python -m harness plot pareto --results results/encoder --cost train_seconds --where "tuning=best of 4 trials" --width 2 --out results/figures/encoder_pareto.svg
	$(BIN)/python -m harness plot budget --results results/encoder --width 2 --out results/figures/encoder_budget.svg

results-examples: $(INSTALLED)
	$(BIN)/python -m harness fetch minilm trec
	env -u HARNESS_DATA_DIR $(BIN)/python -m harness suite benchmarks/suites/encoder_examples.toml --workers 2 --results results/examples
	$(BIN)/python -m harness table benchmarks/suites/encoder_examples.toml --results results/examples > results/tables/examples.md
	$(BIN)/python -m harness plot data-curve --results results/examples --width 1 --out results/figures/examples.svg

# Forgetting of an encoder needs STS-B: what is published had it from a HARNESS_DATA_DIR with nyu-mll/glue/stsb and nothing else.
results-beyond: $(INSTALLED)
	$(BIN)/python -m harness fetch minilm smollm2-135m rotten_tomatoes trec openbookqa
	$(BIN)/python -m harness suite benchmarks/suites/beyond.toml --workers 2 --results results/beyond
	$(BIN)/python -m harness table --results results/beyond --rows base,method --columns task --sort mean --costs-per row --costs $(BEYOND) > results/tables/beyond.md
	$(BIN)/python -m tests.bench.beyond results/beyond --out results/tables
	$(BIN)/python -m harness plot parallel --results results/beyond --where base=smollm2-135m $(AXES) --quantity general_loss_increase_nats --width 2 --out results/figures/beyond_decoder.svg
	$(BIN)/python -m harness plot parallel --results results/beyond --where base=minilm $(AXES) --quantity similarity_drop --width 2 --out results/figures/beyond_encoder.svg

results-decoder: $(INSTALLED)
	$(BIN)/python -m harness fetch smollm2-135m rotten_tomatoes trec
	env -u HARNESS_DATA_DIR $(BIN)/python -m harness suite benchmarks/suites/decoder.toml --workers 2 --results results/decoder
	$(BIN)/python -m harness table benchmarks/suites/decoder.toml --results results/decoder > results/tables/decoder.md
	$(BIN)/python -m tests.bench.pairs results/decoder > results/tables/decoder_pairs.csv

results-quantization: $(INSTALLED)
	$(BIN)/python -m harness fetch minilm trec
	env -u HARNESS_DATA_DIR $(BIN)/python -m harness suite benchmarks/suites/quantization.toml --workers 2 --results results/quantization
	$(BIN)/python -m harness table benchmarks/suites/quantization.toml --results results/quantization > results/tables/quantization.md
	$(BIN)/python -m tests.bench.pairs results/quantization > results/tables/quantization_pairs.csv

faults: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.faults --out results/tables/faults.md

threats: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.threats --out results/tables/threats.md

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
