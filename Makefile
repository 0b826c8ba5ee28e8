# Two commands do everything on a machine with Python 3.11+ and make: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PAGE := promptbus/page/index.html
PAGE_SOURCES := $(wildcard web/*.json web/*.html web/*.ts) $(shell find web/src -type f ! -name schema.d.ts)
# npm fetches what the lock file names, and looks for nothing else.
NPM := PYTHON=$(CURDIR)/$(BIN)/python sh web/npm.sh
SOURCES := actors api benchmarks bus contracts promptbus providers tests training

.PHONY: run test check install page wheel format schema train bench clean

run: install  ## start everything, answer a first prompt, stay
	$(BIN)/promptbus up --ask "Hello! Who are you?"

test: check $(PAGE)  ## all gates, then all tests
	$(BIN)/pytest -q -n 3 --dist loadfile --ignore tests/chaos
	$(BIN)/pytest -q tests/chaos

check: $(STAMP) web/node_modules/.package-lock.json  ## all gates: format, lint, types, floors, file sizes, exports
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/loq
	$(BIN)/python -m promptbus.schema_export --check
	$(BIN)/python -m promptbus.openapi_export --check
	$(NPM) run --silent check

install: $(STAMP)  ## everything into .venv, and the page built
	@$(MAKE) --no-print-directory page || echo "The page could not be built; all else works without it."

page: $(PAGE)  ## build the page for browsers

$(PAGE): $(PAGE_SOURCES) web/node_modules/.package-lock.json
	$(NPM) run --silent build
	@touch $@

web/node_modules/.package-lock.json: web/package-lock.json | $(STAMP)
	$(NPM) ci --no-audit --no-fund --no-progress --no-update-notifier --loglevel=error
	@touch $@

wheel: $(PAGE)  ## build dist/*.whl, the page in it
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	$(BIN)/python -m zipfile -l dist/promptbus-*.whl | grep -q $(PAGE)

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

schema: $(STAMP)  ## export the JSON Schema of every message to docs/schema, and the OpenAPI document
	$(BIN)/python -m promptbus.schema_export
	$(BIN)/python -m promptbus.openapi_export

train: $(STAMP)  ## train pocket and the analyzer's weights anew
	$(BIN)/python -m training.pocket.train
	$(BIN)/python -m training.analyzer.train

bench: $(STAMP)  ## measure the main job against its peers
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks.main_job

clean:
	rm -rf $(VENV) build dist promptbus/page web/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
