# Countersign. Every target makes what it needs: a virtual environment in .venv, filled again when pyproject.toml changes.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1 && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
ARGS ?=

SYSTEM := postgresql bubblewrap git

.PHONY: help play check test lint bench browser system clean
.DEFAULT_GOAL := help

help:
	@echo "make play   a local chat page with a bot in it: no accounts, no keys. PORT=8700"
	@echo "make check  everything that must hold before a change lands: lint, types, tests"
	@echo "make test   the tests alone. ARGS='-k desk' goes to pytest"
	@echo "make lint   style and types alone"
	@echo "make bench  measures this engine, and its peers beside it"
	@echo "make clean  removes what was built; var/ and its data stay"

play: .venv/installed
	@exec $(BIN)/python -m bot play

check: browser system lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

test: browser system .venv/tested
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/benched
	$(BIN)/python -m tests.bench $(ARGS)

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find bot agents adapters tests -name __pycache__ -prune -exec rm -rf {} +

# ------------------------------------------------------------------ what they need

.venv/pyvenv.cfg:
	@test -n "$(PYTHON)" || { \
		echo "Countersign needs Python 3.11, 3.12 or 3.13; found $$(python3 --version 2>&1 || echo none)." >&2; \
		echo "Install one of them, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml .venv/pyvenv.cfg
	$(PIP) -e .
	@touch $@

.venv/tested: pyproject.toml .venv/pyvenv.cfg
	$(PIP) -e '.[test]'
	@touch $@ .venv/installed

.venv/benched: pyproject.toml .venv/tested
	$(PIP) -e '.[test,bench]'
	@touch $@

# The browser tests look for a Chromium of the system's. Without one they are left out, and this says so.
browser:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null 2>&1 && exit 0; done; \
	sudo=; test "$$(id -u)" = 0 || sudo="sudo -n"; \
	if command -v apt-get >/dev/null 2>&1 && $$sudo true 2>/dev/null; then \
		echo "Installing Chromium for the browser tests"; \
		$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends chromium >/dev/null && exit 0; \
	fi; \
	echo "No Chromium here, and no way to install it: the browser tests are left out."

# Packages of the system's that some tests need, listed in SYSTEM. Without one its tests are left out, and say so.
system:
	@missing=; command -v dpkg >/dev/null 2>&1 || exit 0; \
	for name in $(SYSTEM); do dpkg -s $$name >/dev/null 2>&1 || missing="$$missing $$name"; done; \
	test -n "$$missing" || exit 0; \
	sudo=; test "$$(id -u)" = 0 || sudo="sudo -n"; \
	if command -v apt-get >/dev/null 2>&1 && $$sudo true 2>/dev/null; then \
		echo "Installing$$missing for the tests"; \
		$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $$missing >/dev/null && exit 0; \
	fi; \
	echo "Not here, and no way to install:$$missing. The tests that need it are left out."
