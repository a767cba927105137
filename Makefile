# The two commands: `make demo` runs the main job to a report; `make test` passes the tests. Both create the environment first.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
OUT ?= runs/demo
WORKERS ?= 2

.PHONY: demo test lint format install clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Understudy needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: install
	$(BIN)/augment demo --out $(OUT)

test: install
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright
	$(BIN)/python -m lint.imports_of_tests
	$(BIN)/python -m lint.dead_code

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info
