# Every target makes what it needs. .venv is made once and again when setup.cfg, constraints.txt or Python changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp-$(shell $(PYTHON) -c 'import hashlib, sys; print(hashlib.sha256(open("setup.cfg", "rb").read() + open("constraints.txt", "rb").read() + sys.version.encode()).hexdigest()[:16])')

.PHONY: help install demo test check lint clean

help:
	@echo "make demo    install, build the toy corpus, train a small model, print the results table, write demo/faces.png"
	@echo "make test    install, run lint, types and the whole test suite"
	@echo "make check   the same without the slow tests: before every commit"

install: $(STAMP)

$(STAMP): setup.cfg constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	rm -f $(VENV)/.stamp-*
	touch $@

demo: $(STAMP)
	$(BIN)/python -m gan.demo

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint
	$(BIN)/python -m pytest -m "not slow"

test: lint
	$(BIN)/python -m pytest

clean:
	rm -rf $(VENV) build *.egg-info
