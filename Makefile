# Two commands do everything on a machine with Python 3.11+ and make: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := actors api benchmarks bus contracts promptbus providers tests training

.PHONY: run test check install format schema train bench clean

run: $(STAMP)  ## start everything, answer a first prompt, stay
	$(BIN)/promptbus up --ask "Hello! Who are you?"

test: check  ## all gates, then all tests
	$(BIN)/pytest -q

check: $(STAMP)  ## all gates: format, lint, types, floors, file sizes, exported schema
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/loq
	$(BIN)/python -m promptbus.schema_export --check

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "promptbus needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 run"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

format: $(STAMP)  ## put the code into its form
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

schema: $(STAMP)  ## export the JSON Schema of every message to docs/schema
	$(BIN)/python -m promptbus.schema_export

train: $(STAMP)  ## train pocket and the analyzer's weights anew
	$(BIN)/python -m training.pocket.train
	$(BIN)/python -m training.analyzer.train

bench: $(STAMP)  ## measure the main job against its peers
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks.main_job

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
