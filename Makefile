# The workbook's commands. `make help` lists them.
PYTHON  ?= python3
PROFILE ?= workbook
ARGS    ?=
VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help install figures publish published book assignments test lint types unit smoke test-long bench load confirm mutants audit lab clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(READY) ## make .venv with the exact versions of requirements.lock

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it with: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(READY)

figures: $(READY) ## run every notebook and write every figure (PROFILE=workbook, ARGS="--only 03")
	$(BIN)/python -m semcal_utils.regenerate --profile $(PROFILE) $(ARGS)

publish: figures ## put the default run into figures/published/, README's tables and notebooks/, in one step
	$(BIN)/python -m book publish
	$(BIN)/python -m pytest -m published

published: $(READY) ## tell whether README and notebooks are those of the last publication
	$(BIN)/python -m pytest -m published

book: $(READY) ## the HTML book, in build/book/index.html
	$(BIN)/python -m book book

assignments: $(READY) ## student and solution versions of the notebooks, in assignments/
	$(BIN)/python -m book assignments

test: lint types unit smoke ## lint, types, unit tests, and the whole workbook at tiny sizes

lint: $(READY) ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## mypy on the package
	$(BIN)/mypy

unit: $(READY) ## unit tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

smoke: $(READY) ## the whole workbook once, in the smoke profile
	$(BIN)/python -m pytest -m workbook

test-long: $(READY) ## the long suites: faults, hostile input, simulations
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m long -n 2 --dist loadfile --durations=12

bench: $(READY) ## measure speed against the reference recipes
	$(BIN)/python -m benchmarks

load: $(READY) ## a million captions, and a stream without end
	$(BIN)/python -m benchmarks.load

confirm: $(READY) ## the default run beside two with other seeds (run those first: PROFILE=confirmation_1)
	$(BIN)/python -m benchmarks.confirmation workbook confirmation_1 confirmation_2

mutants: $(READY) ## change the statistics one thing at a time, and count what the tests notice
	$(BIN)/python tests/mutation/mutants.py

audit: ## look the locked versions up in the advisory database (needs the net; its tool lives in .audit)
	$(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	.audit/bin/pip-audit --requirement requirements.lock --no-deps --disable-pip

lab: $(READY) ## open JupyterLab on the notebooks
	$(BIN)/jupyter lab --notebook-dir=. notebooks/00_start_here.ipynb

clean: ## forget everything the notebooks made (media, captions, models, runs)
	find data -mindepth 1 ! -name README.md -delete
