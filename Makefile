# Commands for those who use, test and change Vires. Each does its own set-up.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Environments of the libraries that are measured against.
PEERS = .bench
WORKERS ?= 2
# Random programs of `make fuzz`, and the seed of the first one.
N ?= 10000
SEED ?= 0
# Workloads of `make bench`; all, and the page, when empty.
WORKLOADS ?=
# Byte for byte the same in every run: nothing is fetched that these files do not pin.
LOCK = requirements/lock.txt
INSTALLED = $(VENV)/.installed
NATIVE = $(wildcard native/*.cpp native/*.h native/kernels/*.cpp native/kernels/*.h) CMakeLists.txt pyproject.toml

.PHONY: help install tutorial test check bench fuzz accuracy clean

help:
	@echo "make tutorial   install into $(VENV) and run the tutorial (plots go to build/tutorial)"
	@echo "make test       install into $(VENV) and run the whole test suite"
	@echo "make check      ruff, pyright, doctests, then the tests"
	@echo "make bench      measure against JAX, NumPy and PyTorch, and write docs/performance.md"
	@echo "                (they get environments in $(PEERS); WORKLOADS=\"a b\" measures only those)"
	@echo "make fuzz       run N=10000 random programs from SEED=0 on all engines, and N/4 as large ones"
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

$(PEERS)/%/.installed: requirements/%.txt
	$(PYTHON) -m venv $(PEERS)/$*
	$(PEERS)/$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
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

bench: $(INSTALLED) $(PEERS)/jax/.installed $(PEERS)/torch/.installed
	$(BIN)/python benchmarks/bench.py --jax $(PEERS)/jax/bin/python \
		--torch $(PEERS)/torch/bin/python --write docs/performance.md $(WORKLOADS)

fuzz: $(INSTALLED)
	$(BIN)/python tests/fuzz/fuzz.py $(N) --seed $(SEED) --workers $(WORKERS)
	$(BIN)/python tests/fuzz/fuzz.py $$(($(N) / 4)) --seed $(SEED) --workers $(WORKERS) --large

accuracy: $(INSTALLED)
	$(BIN)/python benchmarks/accuracy.py

clean:
	rm -rf $(VENV) $(PEERS) build
