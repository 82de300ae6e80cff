# The environment is .venv, made by whatever Python 3.10 to 3.13 is called python3 (or: make PYTHON=python3.12 ...).
PYTHON ?= python3
VENV := .venv
BIN := $(abspath $(VENV))/bin
DIGITS := recipes/classification/digits

.PHONY: help quickstart setup test check conf benchmark clean

help:
	@echo "make quickstart   set up, then train a classifier of handwritten digits"
	@echo "make setup        make .venv with the pinned versions"
	@echo "make test         set up, check style and types, run all tests"
	@echo "make check        style, types, floors, generated files"
	@echo "make conf         write the component files of conf/ from the signatures"
	@echo "make benchmark    measure against plain PyTorch"

quickstart: setup
	cd $(DIGITS) && $(BIN)/python prepare.py && $(BIN)/rmldnn config.json

setup: $(VENV)/ready

# An installation that broke off leaves no `ready`, and starts anew the next time.
$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 10) <= sys.version_info < (3, 14) else "rmldnn needs Python 3.10 to 3.13, and $(PYTHON) is " + sys.version.split()[0] + "; try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

# Tests start many processes, which compile the sources each time where the environment keeps them from keeping the result.
test: check
	$(BIN)/python -m compileall -q rmldnn
	$(BIN)/pytest --numprocesses 2 --dist worksteal -m 'not speed'
	$(BIN)/pytest tests/test_speed.py

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/sync_conf.py --check

conf: setup
	$(BIN)/python tools/sync_conf.py

benchmark: setup
	$(BIN)/python tools/benchmark_smoke.py
	$(BIN)/python tools/benchmark_networks.py
	$(BIN)/python tools/benchmark_data.py
	$(BIN)/python tools/benchmark_parallel.py

clean:
	rm -rf $(VENV) build dist *.egg-info
