# Every target makes what it needs, from nothing but make, python3 (3.11 or newer) and its venv module.

.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= $(firstword $(foreach python,python3 python3.13 python3.12 python3.11,\
  $(if $(shell $(python) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes),$(python))))
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# One file per dependency group of pyproject.toml says that it is installed.
PACKAGE := $(VENV)/.package
COMPAT := $(VENV)/.compat
TEST := $(VENV)/.test
LINT := $(VENV)/.lint
DOCS := $(VENV)/.docs
HUB_PROXY := $(VENV)/.hub-proxy
AUTOGEN := .bench/autogen/.installed

# One worker a processor: more only makes the tests that wait for something wait longer.
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)

.PHONY: help
help:
	@echo 'make demo     run a document of ours and show what comes out, in demo-output/'
	@echo 'make test     run the tests; PYTEST_ADDOPTS="-k name" picks some'
	@echo 'make check    lint, formatting, types, layers'
	@echo 'make format   mend what lint and formatting can mend'
	@echo 'make bench    compare with the other ways to run a cell; QUICK=1 for a short run, CASES="import-time round-trip" for some'
	@echo 'make soak     start, use and stop 2,000 kernels, and see that nothing is left of them'
	@echo 'make scaling  draw how the cost of a kernel grows with how many there are'
	@echo 'make docs     build the documentation into site/'
	@echo 'make clean    remove everything made here'

.PHONY: demo
demo: $(PACKAGE) $(COMPAT) $(TEST)
	$(BIN)/cellblock run examples/analysis.md --output-dir demo-output --html

.PHONY: test
test: $(PACKAGE) $(COMPAT) $(TEST) $(HUB_PROXY)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

.PHONY: check
check: $(PACKAGE) $(TEST) $(LINT)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python tests/public_api_types.py
	$(BIN)/python -m pytest -q tests/test_layers.py tests/test_exports.py

.PHONY: format
format: $(PACKAGE) $(LINT)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: bench
bench: $(PACKAGE) $(TEST) $(AUTOGEN)
	$(BIN)/python -m compileall -q src benchmarks  # as in an installed package, whatever PYTHONDONTWRITEBYTECODE says
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(CASES)

.PHONY: soak
soak: $(PACKAGE) $(TEST)
	$(BIN)/python -m benchmarks.soak
	$(BIN)/python -m benchmarks.soak --server

.PHONY: scaling
scaling: $(PACKAGE) $(TEST)
	$(BIN)/python -m benchmarks.scaling docs/images/scaling.svg

.PHONY: docs
docs: $(PACKAGE) $(DOCS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: clean
clean:
	rm -rf $(VENV) .bench site demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.created:
	@test -n '$(PYTHON)' || { echo 'cellblock needs Python 3.11 or newer with its venv module. Install one, or name it: make PYTHON=/path/to/python'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'  # the first to know dependency groups
	touch $@

$(PACKAGE): pyproject.toml | $(VENV)/.created
	$(PIP) install --editable '.[all]'
	touch $@

$(COMPAT): compat/autogen/pyproject.toml $(PACKAGE)
	$(PIP) install --editable ./compat/autogen
	touch $@

# JupyterHub's proxy is a program of Node's; its tests are skipped, and say so, where there is no npm.
$(HUB_PROXY): | $(VENV)/.created
	@if command -v npm >/dev/null; then npm install --silent --no-save --prefix $(VENV) configurable-http-proxy@5; fi
	touch $@

$(TEST) $(LINT) $(DOCS): $(VENV)/.%: pyproject.toml | $(PACKAGE)
	$(PIP) install --group $*
	touch $@

$(AUTOGEN): benchmarks/autogen-requirements.txt | $(VENV)/.created
	$(PYTHON) -m venv .bench/autogen
	.bench/autogen/bin/python -m pip --quiet --disable-pip-version-check install --requirement $<
	touch $@
