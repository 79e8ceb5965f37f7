# The two commands: `make run` and `make test`. Everything else serves them; `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
STAMP := .venv/.installed-from-lock

.PHONY: help run test check fmt lock clean

help: ## One line for each target
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): infra/python/dev.lock pyproject.toml
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; on Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	python3 -m venv .venv
	$(BIN)/pip install -q --require-hashes -r infra/python/dev.lock
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $(STAMP)

run: $(STAMP) ## Installs what is missing, starts everything, hands samples over (ARGS=--once ends after the summary)
	$(BIN)/healthbook run $(ARGS)

test: $(STAMP) ## Installs what is missing and runs every test on real parts (ARGS go to pytest)
	@infra/install-test-tools
	$(BIN)/python -m pytest $(ARGS)

check: $(STAMP) ## Format, lint, types, import contracts; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(STAMP) ## Formats the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(STAMP) ## Resolves the dependencies anew (needs `pip install uv` in PATH)
	uv pip compile -q pyproject.toml --extra embedded --python-version 3.11 --universal --generate-hashes \
		--no-emit-index-url --no-header -o infra/python/runtime.lock
	uv pip compile -q pyproject.toml --extra embedded --extra dev --python-version 3.11 --universal --generate-hashes \
		--no-emit-index-url --no-header -c infra/python/runtime.lock -o infra/python/dev.lock

clean: ## Removes the virtualenv and all data of the embedded parts
	rm -rf .venv var
