# Commands for those who use, test and change Vires. Each does its own set-up.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
JAX_VENV ?= .jax-venv
WORKERS ?= 2
# Byte for byte the same in every run: nothing is fetched that these files do not pin.
LOCK = requirements/lock.txt
JAX_LOCK = requirements/jax.txt
INSTALLED = $(VENV)/.installed
JAX_INSTALLED = $(JAX_VENV)/.installed
NATIVE = $(wildcard native/*.cpp native/*.h native/kernels/*.cpp native/kernels/*.h) CMakeLists.txt pyproject.toml

.PHONY: help install tutorial test check bench accuracy clean

help:
	@echo "make tutorial   install into $(VENV) and run the tutorial (plots go to build/tutorial)"
	@echo "make test       install into $(VENV) and run the whole test suite"
	@echo "make check      ruff, pyright, doctests, then the tests"
	@echo "make bench      measure against NumPy and JAX (installed in an environment of its own)"
	@echo "make accuracy   scan the elementary functions and write docs/accuracy.md"
	@echo "make install    only install into $(VENV)"
	@echo "make clean      remove the environments and everything built"

install: $(INSTALLED)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(BIN)/python $(LOCK) $(NATIVE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(JAX_INSTALLED): $(JAX_LOCK)
	$(PYTHON) -m venv $(JAX_VENV)
	$(JAX_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $(JAX_LOCK)
	@touch $@

tutorial: $(INSTALLED)
	$(BIN)/python examples/tutorial.py

test: $(INSTALLED)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal tests

check: $(INSTALLED)
	$(BIN)/ruff check src tests examples benchmarks
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest -n $(WORKERS) --doctest-modules src/vires
	$(MAKE) test

bench: $(INSTALLED) $(JAX_INSTALLED)
	$(BIN)/python benchmarks/bench.py --jax $(JAX_VENV)/bin/python --write docs/performance.md

accuracy: $(INSTALLED)
	$(BIN)/python benchmarks/accuracy.py

clean:
	rm -rf $(VENV) $(JAX_VENV) build
