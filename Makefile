# Every target makes what it needs. An environment is made once and again when setup.cfg, its constraints or Python changes.
PYTHON ?= python3
VENV := .venv
FLOOR := .venv-floor
BIN := $(VENV)/bin
stamp = $(1)/.stamp-$(shell $(PYTHON) -c 'import hashlib, sys; print(hashlib.sha256(open("setup.cfg", "rb").read() + open("$(2)", "rb").read() + sys.version.encode()).hexdigest()[:16])')
STAMP := $(call stamp,$(VENV),constraints.txt)
FLOOR_STAMP := $(call stamp,$(FLOOR),constraints-floor.txt)

.PHONY: help install demo test test-floor test-slurm check lint clean

help:
	@echo "make demo        install, build the toy corpus, train a small model, print the results table, write demo/faces.png"
	@echo "make test        install, run lint, types and the whole test suite"
	@echo "make check       the same without the slow tests: before every commit"
	@echo "make test-slurm  the SLURM launcher on a cluster of ordinary processes; needs Debian's slurmctld, slurmd, slurm-client"
	@echo "make test-floor  the tests in an environment of the oldest supported versions, where mediapipe brings its own face mesh"

install: $(STAMP)

$(STAMP): setup.cfg constraints.txt
$(STAMP): WITH := --constraint constraints.txt --editable ".[dev,slurm]"
$(FLOOR_STAMP): setup.cfg constraints-floor.txt
$(FLOOR_STAMP): WITH := --constraint constraints-floor.txt --editable ".[dev,mediapipe]"

$(STAMP) $(FLOOR_STAMP):
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check $(WITH)
	rm -f $(@D)/.stamp-*
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

test-slurm: $(STAMP)
	@PATH="$$PATH:/usr/sbin"; for program in slurmctld slurmd sbatch; do command -v $$program > /dev/null || \
		{ echo "make test-slurm: no $$program. Install it with: apt-get install slurmctld slurmd slurm-client"; exit 1; }; done
	$(BIN)/python -m pytest -m slurm tests/slurm

test-floor: $(FLOOR_STAMP)
	$(FLOOR)/bin/python -m pytest

clean:
	rm -rf $(VENV) $(FLOOR) build *.egg-info
