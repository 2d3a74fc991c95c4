# Every target makes what it needs. An environment is made once and again when setup.cfg, its constraints or Python changes.
PYTHON ?= python3
VENV := .venv
FLOOR := .venv-floor
BIN := $(VENV)/bin
stamp = $(1)/.stamp-$(shell $(PYTHON) -c 'import hashlib, sys; print(hashlib.sha256(open("setup.cfg", "rb").read() + open("$(2)", "rb").read() + sys.version.encode()).hexdigest()[:16])')
STAMP := $(call stamp,$(VENV),constraints.txt)
FLOOR_STAMP := $(call stamp,$(FLOOR),constraints-floor.txt)
# One process with one torch thread a core, eight at most. JOBS=0 tests in pytest's own process, where a debugger works.
JOBS ?= auto
PYTEST := -m pytest --numprocesses $(JOBS) --maxprocesses 8 --dist worksteal

.PHONY: help install demo test test-floor test-slurm test-browser check lint clean

help:
	@echo "make demo        install, build the toy corpus, train a small model, print the results table, write demo/faces.png (10 to 30 minutes)"
	@echo "make test        install, run lint, types and the whole test suite"
	@echo "make check       the same without the slow tests, two minutes: before every commit"
	@echo "make test-slurm  the SLURM launcher on a cluster of ordinary processes; needs Debian's slurmctld, slurmd, slurm-client"
	@echo "make test-browser  the pages in a real browser; needs Debian's chromium"
	@echo "make test-floor  what versions can break, in an environment of the oldest supported ones, where mediapipe brings its own face mesh"

install: $(STAMP)

$(STAMP): setup.cfg constraints.txt
$(STAMP): WITH := --constraint constraints.txt --editable ".[dev,media,pages,slurm]"
$(FLOOR_STAMP): setup.cfg constraints-floor.txt
$(FLOOR_STAMP): WITH := --constraint constraints-floor.txt --editable ".[dev,media,mediapipe]"

$(STAMP) $(FLOOR_STAMP):
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check $(WITH)
	rm -f $(@D)/.stamp-*
	touch $@

demo: $(STAMP)
	$(BIN)/python -m gan.demo

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

check: lint
	$(BIN)/python $(PYTEST) -m "not slow" --hypothesis-profile check

test: lint
	$(BIN)/python $(PYTEST)

test-slurm: $(STAMP)
	@PATH="$$PATH:/usr/sbin"; for program in slurmctld slurmd sbatch; do command -v $$program > /dev/null || \
		{ echo "make test-slurm: no $$program. Install it with: apt-get install slurmctld slurmd slurm-client"; exit 1; }; done
	$(BIN)/python -m pytest -m slurm tests/slurm

test-browser: $(STAMP)
	@command -v chromium > /dev/null || { echo "make test-browser: no chromium. Install it with: apt-get install chromium"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[browser]"
	$(BIN)/python -m pytest -m browser tests

test-floor: $(FLOOR_STAMP)
	$(FLOOR)/bin/python $(PYTEST) -m "not slow or floor" --hypothesis-profile check

clean:
	rm -rf $(VENV) $(FLOOR) build *.egg-info
