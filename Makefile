# Every target sets up what it needs; `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/novita-gpu-operator
# A shim on PATH may be there without the tool behind it.
UV ?= $(shell uv --version >/dev/null 2>&1 && command -v uv || echo $(CACHE)/uv/bin/uv)
BIN := .venv/bin
READY := .venv/.ready

export UV
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/.venv
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: plane ## a real API server, a pretend Novita, the operator: from apply to delete, explained
	PYTHONPATH=tests $(BIN)/python -m e2e.demo

.PHONY: up
up: plane ## the same, left running for you to play with
	PYTHONPATH=tests $(BIN)/python -m e2e.up

.PHONY: test
test: plane tools ## every test, and full branch coverage of the decisions
	$(BIN)/coverage run -m pytest tests/unit/decision
	$(BIN)/coverage report
	GOGC=400 $(BIN)/pytest tests --ignore=tests/unit/decision --numprocesses=2 --dist=worksteal

.PHONY: test-fast
test-fast: $(READY) ## the tests that need no API server and no other tool
	$(BIN)/pytest -m "not server and not tools" --hypothesis-profile fast

.PHONY: proof
proof: plane ## the whole kill matrix, each kill by itself; a part of it runs in `make test`
	$(BIN)/pytest tests/proof -m "proof or not proof"

.PHONY: soak
soak: plane ## life, faults and kills at random, for SECONDS (1800) from SEED (a random one)
	PYTHONPATH=tests $(BIN)/python -m proof.soak --seconds $(or $(SECONDS),1800) $(if $(SEED),--seed $(SEED))

.PHONY: model
model: $(READY) ## the model check and its planted faults, from SEED (1), with EXAMPLES (1000) for each
	MODEL_SEED=$(or $(SEED),1) MODEL_EXAMPLES=$(or $(EXAMPLES),1000) $(BIN)/pytest tests/model --capture=no

.PHONY: mutate
mutate: $(READY) ## change each line of the decisions a little: do their unit tests notice?
	$(BIN)/python tests/mutate.py

SIZES ?= 1000 10000
.PHONY: bench
bench: plane ## the operator beside a bare kopf handler, into docs/performance.md (SIZES="1000 10000")
	PYTHONPATH=tests $(BIN)/python -m bench $(SIZES)

.PHONY: check
check: $(READY) ## format, lint, types, floors, Dockerfile, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/hadolint Dockerfile
	$(BIN)/python docs/generate.py --check

.PHONY: generate
generate: KUBECTL = $$(PYTHONPATH=tests $(BIN)/python -m controlplane.binary)/kubectl
generate: plane ## print the CRD, the RBAC manifests, the reference pages and the rendered manifests anew
	$(BIN)/python docs/generate.py
	$(KUBECTL) kustomize manifests/cluster-install -o manifests/install.yaml
	$(KUBECTL) kustomize manifests/namespace-install -o manifests/namespace-install.yaml

.PHONY: tools
tools: $(READY) ## Helm, kubeconform, actionlint, Prometheus: built or fetched once, for `make test`
	@PYTHONPATH=tests $(BIN)/python -m toolbox.tools >/dev/null

.PHONY: plane
plane: $(READY)
	@PYTHONPATH=tests $(BIN)/python -m controlplane.binary >/dev/null

$(READY): pyproject.toml uv.lock .python-version | $(UV)
	$(UV) sync --locked
	@touch $@

$(CACHE)/uv/bin/uv:
	python3 -m pip install --quiet --disable-pip-version-check --target $(CACHE)/uv 'uv>=0.9'
