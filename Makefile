# `make demo` and `make test` are enough on a machine with Python >= 3.11 and make; both can be repeated.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# more threads than cores make OpenMP spin; the commands set this themselves, tests and mypy need it from here
export OMP_WAIT_POLICY ?= PASSIVE

# --no-compile: only the modules that are used get compiled, on first import, which saves half a minute
.PHONY: demo test exhaustive lint clean

demo: $(VENV)/demo-installed
	$(BIN)/python train.py model=resnet18 name=demo resume=true
	$(BIN)/python scripts/grade.py competition=digits submission=outputs/digits/demo/submission.csv

test: $(VENV)/dev-installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

# more made-up downloads and variants of them than `make test` tries
exhaustive: $(VENV)/dev-installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal -m exhaustive tests

lint: $(VENV)/dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy compkit

$(VENV)/demo-installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --editable .
	touch $@

$(VENV)/dev-installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[dev]'
	touch $@ $(VENV)/demo-installed

clean:
	rm -rf $(VENV) build dist data outputs
