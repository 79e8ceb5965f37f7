# The two commands: `make run` and `make test`. Everything else serves them; `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
INSTALLED := .venv/.installed-from-lock
VALIDATORS := infra/npm/node_modules/.package-lock.json
UV := build/uv/bin/uv
COMPILE := $(UV) pip compile -q pyproject.toml --python-version 3.11 --universal --generate-hashes \
	--no-emit-index-url --no-header --extra embedded

.PHONY: help run test faults day crashpoints check fmt bench parts lock clean

help: ## One line for each target
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(INSTALLED) ## Installs what is missing, starts everything, hands samples over (ARGS=--once ends after the summary)
	$(BIN)/healthbook run $(ARGS)

test: $(INSTALLED) $(VALIDATORS) ## Installs what is missing and runs every test on real parts (ARGS go to pytest)
	@infra/install-test-tools xmlsec1 kcat curl chromium faketime prometheus prometheus-alertmanager
	$(BIN)/pytest $(ARGS)

faults: $(INSTALLED) ## Hurts the whole system and looks for what got lost (ARGS="--runs 20 --seconds 60 --seed 1", --planted)
	@infra/install-test-tools xmlsec1 faketime
	$(BIN)/python -m tests.faults $(ARGS)

day: $(INSTALLED) ## Lives a bad day, twenty times as quick: is each cause found, each late visit told? (ARGS=--short; docs/bad-day.md)
	@infra/install-test-tools faketime prometheus
	$(BIN)/python -m tests.day $(ARGS)

check: $(INSTALLED) $(VALIDATORS) ## Format, lint, types, import contracts, schemas, AsyncAPI, OpenAPI, dashboards, compose; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/healthbook dossier xsd --check
	$(BIN)/healthbook schema check --offline
	$(BIN)/healthbook codes --check
	$(BIN)/python -m infra.grafana --check
	$(BIN)/healthbook submission states --check
	node infra/npm/check-asyncapi.mjs asyncapi.yaml
	node infra/npm/check-openapi.mjs openapi.yaml
	$(BIN)/docker-compose --profile simulators config --quiet
	$(BIN)/docker-compose -f docker-compose.yml -f infra/docker/three-brokers.yml --profile simulators config --quiet

fmt: $(INSTALLED) ## Formats the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

crashpoints: $(INSTALLED) ## Kills each process at every crash point, forward and relay at every ordered pair (docs/crash-points.md)
	HEALTHBOOK_CRASH_PAIRS=all $(BIN)/pytest tests/crashpoints tests/crashpoints/planted_bugs.py $(ARGS)

bench: $(INSTALLED) ## Measures what it costs on this machine (ARGS go to the benchmark)
	$(BIN)/python -m benchmarks.dossiers
	$(BIN)/python -m benchmarks.deadlines
	$(BIN)/python -m benchmarks $(ARGS)

parts: $(INSTALLED) ## Only downloads the embedded parts, for images and caches
	$(BIN)/python -m infra.embedded download

lock: $(UV) ## Resolves the Python dependencies anew
	$(COMPILE) -o infra/python/runtime.lock
	$(COMPILE) --extra dev -c infra/python/runtime.lock -o infra/python/dev.lock

clean: ## Removes the virtualenv, the validators and all data of the embedded parts
	rm -rf .venv build infra/npm/node_modules var

$(INSTALLED): infra/python/dev.lock pyproject.toml
	@infra/make-venv .venv
	$(BIN)/pip install -q --require-hashes -r infra/python/dev.lock
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VALIDATORS): infra/npm/package-lock.json
	@infra/install-test-tools npm
	cd infra/npm && npm ci --silent
	@touch $@

$(UV):
	python3 -m venv build/uv
	build/uv/bin/pip install -q uv
