# `make run` starts everything, `make test` checks everything; see README.md.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-scale install install-dev check bench reliability

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
INSTALLED_DEV := .venv/.installed-dev
BESIDE := --numprocesses auto --maxprocesses 4 --dist loadfile
# Each of them computes alone: threads of several on the same cores wait for each other. Where
# compiled files may not be kept, each would compile every test anew.
ALONE := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=
# Twice quiet: errors only. Once would print a warning for every package that a mirror lacks.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet

help: ## Show what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(INSTALLED) ## Install, fill an empty catalogue, serve the dashboard on http://127.0.0.1:8501
	@exec $(BIN)/python -m catalog_ai.run

install: $(INSTALLED) ## Make .venv and install what the product needs

install-dev: $(INSTALLED_DEV) ## Install what tests and checks need besides

test: $(INSTALLED_DEV) check ## Install what the tests need, check, and run them all
	@.ci/chromium
	@$(ALONE) $(BIN)/python -m pytest $(BESIDE) --ignore tests/reliability --ignore tests/browser
	@$(BIN)/python -m pytest tests/reliability tests/browser # with nothing beside them: they time

test-scale: $(INSTALLED_DEV) ## Install Ray besides, and test an ingest on a cluster of two processes
	@$(PIP) install -r requirements-scale.txt
	@$(BIN)/python -m pytest -m scale tests/services

check: $(INSTALLED_DEV) ## Format, lint, types, and who may import whom
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(INSTALLED_DEV) ## Print every measured figure beside its baseline (about half an hour)
	@$(BIN)/python -m benchmarks.review_queue
	@$(BIN)/python -m benchmarks.inference
	@$(BIN)/python -m benchmarks.label_scores
	@$(BIN)/python -m benchmarks.batches
	@$(BIN)/python -m benchmarks.exports
	@$(BIN)/python -m benchmarks.pages --products 5000,100000
	@if [ -n "$${CATALOG_TEST_PHOTOS:-}" ]; then \
	  for name in models ingest article losses label_errors oddity twins retraining; do $(BIN)/python -m benchmarks.$$name; done; else \
	  echo "The article's figures need its photos: CATALOG_TEST_PHOTOS=/path/to/them make bench"; fi

reliability: $(INSTALLED_DEV) ## Kill, fill up, crowd and mislead the catalogue, and print every figure (about twenty minutes)
	@CATALOG_RELIABILITY=full $(BIN)/python -m pytest tests/reliability

$(INSTALLED): requirements.txt | .venv
	@echo "Installing packages; the first time this takes a few minutes …"
	@$(PIP) install -r requirements.txt
	@touch $@

$(INSTALLED_DEV): requirements-dev.txt requirements-server.txt $(INSTALLED)
	@echo "Installing what the tests need …"
	@$(PIP) install -r requirements-dev.txt
	@touch $@

.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed: name one, as in make $(or $(MAKECMDGOALS),run) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; } # a half-made one would pass for made
