# Every target does its own set-up: python3 (3.11 or newer) and a package index are all it needs.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test quick coverage rest browser screenshots check format generate bench serve sandbox wheel requirements clean

help: ## Show the targets.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 22

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed.") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv

# Packages are pinned with hashes; the project itself is linked, not copied.
.venv/run.stamp: .venv/bin/python requirements/run.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: .venv/run.stamp ## Tell the whole story on the sandbox, in under a minute.
	$(BIN)/mailbox-guard demo

serve: .venv/run.stamp ## Run the guard with the settings of the environment or mailbox-guard.toml.
	$(BIN)/mailbox-guard serve

sandbox: .venv/run.stamp ## Run the stand-ins for Entra, Graph and Dataverse.
	$(BIN)/mailbox-guard sandbox serve

test: .venv/dev.stamp browser ## Run every test, on SQLite and on a real PostgreSQL.
	$(BIN)/python -m pytest -n auto $(ARGS)

# Left out are tests marked `slow` or `database`, and those whose cases Hypothesis generates; folders
# in which no other is are not even looked into.
LEFT_OUT := attacks browser crashes editor end_to_end mailbox_guard
quick: .venv/dev.stamp ## Run the tests that need no process, no database and no generated cases.
	$(BIN)/python -m pytest -n auto --dist worksteal $(LEFT_OUT:%=--ignore=tests/%) \
	  -m "not slow and not database and not hypothesis" $(ARGS)

# Whole processes, PostgreSQL and generated cases reach little that these do not, at twice the price.
MEASURED := not process and not postgres and not hypothesis

coverage: .venv/dev.stamp ## Run the measured tests, show what they did not reach, and fail below the floor.
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n auto -m "$(MEASURED)" $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

rest: .venv/dev.stamp browser ## Run the tests that `make coverage` leaves out.
	$(BIN)/python -m pytest -n auto -m "not ($(MEASURED))" $(ARGS)

# Without one, and without the right to install it, the tests in a browser are skipped and say so.
browser: ## Install Debian's Chromium for the tests in a browser, where that is allowed.
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null; } \
	  || echo "Chromium is not here and can't be installed: the tests in a browser will be skipped."

screenshots: .venv/dev.stamp browser ## Make the pictures of the console anew.
	$(BIN)/python -m tests.browser.screenshots

check: .venv/dev.stamp ## Check format, lint, types, imports, policies and what is generated.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/mailbox-guard policy validate policies
	$(BIN)/mailbox-guard policy lint policies
	$(BIN)/mailbox-guard policy fmt policies --check
	$(BIN)/mailbox-guard policy schema policies --check
	$(BIN)/mailbox-guard policy test policies --coverage --coverage-min 100 --mutate
	$(BIN)/python -m console.reference --check

format: .venv/dev.stamp ## Format code and policies, and fix what lint can fix.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/mailbox-guard policy fmt policies

generate: .venv/dev.stamp ## Make anew what is made from the code: schemas and pages.
	$(BIN)/mailbox-guard policy schema policies --write
	$(BIN)/python -m console.reference --write

wheel: .venv/dev.stamp ## Build into dist/ what is published.
	$(BIN)/hatchling build

# The file is complete; without dependencies, because c7n pins packages that it shares with us (overrides.txt).
.venv/bench.stamp: .venv/dev.stamp requirements/bench.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/bench.txt
	@touch $@

bench: .venv/bench.stamp ## Measure, as ratios taken in one run.
	$(BIN)/python -m tests.benchmarks $(ARGS)

requirements: .venv/dev.stamp ## Pin the newest packages that fit, with hashes and without index addresses.
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header \
	  pyproject.toml requirements/build.in -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header \
	  pyproject.toml requirements/build.in \
	  --extra tracing --extra test --extra dev -c requirements/run.txt -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header \
	  pyproject.toml requirements/build.in \
	  --extra tracing --extra test --extra dev --extra bench -c requirements/dev.txt \
	  --override requirements/overrides.txt -o requirements/bench.txt

clean: ## Remove what the targets made.
	rm -rf .venv .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
