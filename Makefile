# `make demo` and `make test` work on a fresh machine: each sets up .venv first. No GPU is needed, and no data set.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEMO   ?= demo
JOBS   ?= 2

.PHONY: help setup demo test test-long test-lowest test-gpu lint types check docs kills bench clean
.DEFAULT_GOAL := help

help:  ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## the virtual environment in .venv, with rescli and its tools

# uv installs the gigabytes of PyTorch several times faster than pip; pip does where uv cannot be had.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	{ echo "$(PYTHON) is too old: rescli needs Python 3.10 or newer. make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || true
	if [ -x $(BIN)/uv ]; then $(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[dev]'; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'; fi
	touch $@

demo: $(READY)  ## train, evaluate and look at a small net: on CIFAR-10 if it is found, else on the built-in images
	@PATH="$(abspath $(BIN)):$$PATH" sh tools/demo.sh "$(DEMO)"

# By whole files: what a file has trained is shared by its tests.
test: $(READY)  ## the test suite, two files at a time (JOBS=2)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

test-long: $(READY)  ## the tests that take minutes, too
	$(BIN)/python -m pytest -m "long or not long"

test-lowest: $(READY)  ## the tests with the oldest libraries that pyproject.toml allows, in an environment of their own (needs uv)
	$(PYTHON) -m venv --clear $(VENV)-lowest
	$(BIN)/uv pip install --quiet --resolution lowest-direct --python $(VENV)-lowest/bin/python -e '.[dev]'
	$(VENV)-lowest/bin/python -m pytest -n $(JOBS) --dist loadfile

test-gpu: $(READY)  ## the tests that need a CUDA device
	@$(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || \
	{ echo "PyTorch sees no CUDA device here: all of them would be skipped." >&2; exit 1; }
	$(BIN)/python -m pytest -m gpu

lint: $(READY)  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

check: lint types test  ## what a change must pass

docs: $(READY)  ## docs/cli.md, from the app
	$(BIN)/python -m tools.cli_docs

kills: $(READY)  ## 200 SIGKILLs each in fp32 and bf16, resumed and compared bit for bit (half an hour)
	$(BIN)/python -m benchmarks.kills --kills 200 --precision fp32
	$(BIN)/python -m benchmarks.kills --kills 200 --precision bf16

bench: $(READY)  ## what a store costs to write and read, and how good the prediction of memory is
	$(BIN)/python -m benchmarks.store
	$(BIN)/python -m benchmarks.memory

clean:  ## remove what was made here
	rm -rf $(VENV) $(VENV)-lowest "$(DEMO)" build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
