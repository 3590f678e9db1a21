# `make demo` and `make test` are all that a fresh clone needs: they set up what is missing.
.DEFAULT_GOAL := help
SHIPPED := build/deb/root/usr/lib/healthguard
QUICK := tests/core tests/probes tests/config --ignore tests/config/test_fuzz.py
.PHONY: help setup demo test quick floor lint bench stories lock deb install clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## .venv with the pinned dependencies, nginx from the distribution if it is missing
	@scripts/setup dev

demo:  ## a bad release, rolled back: real nginx, two apps and the guard in a sandbox
	@scripts/setup run
	@.venv/bin/healthguard demo $(if $(STAY),--stay)

test: setup  ## everything that must be green: linters, types, import rules, tests
	$(if $(PYTEST),@$(MAKE) lint && .venv/bin/python -m pytest $(PYTEST),@.venv/bin/python -m tests.suite)

quick: lint  ## while you work, about a minute: linters, tests of core, probes and config
	.venv/bin/python -m pytest -q -n 4 --dist loadfile $(QUICK)

floor: setup  ## as many tests must pass from now on as in the last good run of make test
	@.venv/bin/python -m tests.suite floor

lint: setup  ## ruff, mypy, import-linter
	.venv/bin/ruff check healthguard packaging tests bench
	.venv/bin/ruff format --check healthguard packaging tests bench
	.venv/bin/mypy healthguard packaging/makers
	.venv/bin/lint-imports

bench:  ## compares with HAProxy and plain nginx, writes docs/benchmarks.md
	@scripts/setup bench
	@packaging/build
	@$(SHIPPED)/bin/python3 -m compileall -q $(SHIPPED)/lib  # as installing the package does
	.venv/bin/python -m bench --python $(SHIPPED)/bin/python3

stories: setup  ## judges the corpus of incidents, writes its tables into docs/incidents.md
	.venv/bin/python -m tests.stories.report

lock:  ## pin the dependencies again (LOCK=--upgrade takes newer ones)
	@scripts/setup dev
	scripts/lock $(LOCK)

deb:  ## build/healthguard_VERSION_ARCH.deb, for the Python of .venv
	@scripts/setup dev
	@packaging/build

install:  ## into /opt/healthguard, with user, units and a sample configuration; starts nothing
	@scripts/install

clean:  ## remove what setup and the tools have made in this folder
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
