# The two commands of the README, and what keeps the house in order. ARGS are passed on: make train ARGS="--preset nanogpt-cpu"

PYTHON ?= python3
BIN := .venv/bin

.PHONY: run train test check format clean

run: .venv/installed
	@$(BIN)/gpt-tui $(ARGS)

train: .venv/installed
	@$(BIN)/gpt-tui --headless $(ARGS)

test: .venv/installed-dev
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/installed: pyproject.toml constraints.txt tools/install.py
	@$(PYTHON) tools/install.py

.venv/installed-dev: pyproject.toml constraints.txt tools/install.py
	@$(PYTHON) tools/install.py --dev

clean:
	rm -rf .venv
