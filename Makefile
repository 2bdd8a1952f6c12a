# Every task starts here. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Tests and runs start many short processes: our own code is compiled by the first of them, and not by each.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
PROJECT ?= examples/flights/project.yaml
IMAGE ?= ciclo-python:dev
SERVING_IMAGE ?= ciclo-serving-python:dev
REVISION ?= $(shell git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null)
LABELS = --build-arg REVISION=$(REVISION) --build-arg VERSION=$(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

# uv makes the environments; a machine without it gets it in a private environment of its own.
UV := $(or $(shell command -v uv 2>/dev/null),build/uv/bin/uv)
COMPILE := pip compile --quiet --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock"
BIN := .venv/bin
CODE := components pipelines manifests notebooks tests examples benchmarks

##@ Use
.PHONY: help
help: ## list every target
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: env
env: build/env.stamp ## make the two environments, .venv and .venv-serving (costs nothing when they are there)

.PHONY: demo
demo: env ## run the whole cycle on a year of real flights: train, serve, watch, retrain (build/demo/report.html)
	$(BIN)/python -m examples.flights.demo

##@ Check
.PHONY: check
check: lint ## lint, and the unit and contract tests that take no time: what to run while you work
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" tests/unit tests/contract

.PHONY: test
test: env ## run every test that needs Python only
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder tests/local tests/serving tests/contract tests/unit

.PHONY: test-services
test-services: env ## run the tests on the real S3 server and PostgreSQL that CICLO_S3_* and CICLO_PREDICTIONS name
	$(BIN)/python -m pytest -n 2 --dist loadscope tests/services

.PHONY: test-spark
test-spark: build/spark.stamp ## hold what a local Spark makes of the expressions of the product to DuckDB (needs Java 17 or later)
	.venv-spark/bin/python -m pytest tests/spark

.PHONY: test-manifests
test-manifests: env ## render every overlay and a project, and check what comes out (needs kubectl or kustomize)
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/manifests

.PHONY: test-cluster
test-cluster: env ## run the tests on the real cluster of KUBECONFIG, in pods of the images that CICLO_TEST_* name
	$(BIN)/python -m pytest -x tests/cluster

.PHONY: lint
lint: env ## ruff, formatting and strict types
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy

.PHONY: format
format: env ## let ruff rewrite the code
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

.PHONY: mutants
mutants: env ## put small faults into the code that decides; the tests have to notice (a quarter of an hour)
	$(BIN)/python -m tests.mutants

.PHONY: golden
golden: env ## refresh the golden files; review the difference in the same commit
	$(BIN)/python -m pytest tests/contract --update-golden -q
	$(BIN)/python -m pytest tests/manifests --update-golden -q -k golden

##@ Measure
.PHONY: bench-storage
bench-storage: env ## what the registry costs over a bare copy (on a bucket too, where CICLO_S3_* names a server)
	$(BIN)/python -m benchmarks.storage

.PHONY: bench-windows
bench-windows: env ## what windows of a million predictions cost in the PostgreSQL that CICLO_PREDICTIONS names
	$(BIN)/python -m benchmarks.predictions

.PHONY: bench-answers
bench-answers: env ## how long a model takes to answer, fitted and compiled side by side (a minute)
	$(BIN)/python -m benchmarks.answers

.PHONY: bench-gate
bench-gate: env ## how often do the gates promote what is equal, better and worse? 3 minutes
	$(BIN)/python -m benchmarks.gate

.PHONY: bench-leaks
bench-leaks: env ## how many leaks does validation find, and how often does it cry wolf? 3 minutes
	$(BIN)/python -m benchmarks.leaks

.PHONY: bench-drift
bench-drift: env ## is the watch calm, awake and fast? beside Evidently, 20 minutes (on PostgreSQL too, where CICLO_PREDICTIONS names one)
	$(BIN)/python -m benchmarks.drift

.PHONY: bench-quality
bench-quality: env ## how good is the model that comes out, beside FLAML and boosting as it comes? 10 minutes
	$(BIN)/python -m benchmarks.quality

.PHONY: bench-wide
bench-wide: env ## how long does `ciclo init` take on 2,000 columns? a minute
	$(BIN)/python -m benchmarks.wide

.PHONY: bench-data
bench-data: env ## how fast are the data stages beside pandas with pandera, and how much memory do they take? 15 minutes
	$(BIN)/python -m benchmarks.data

##@ Build
.PHONY: compile
compile: env ## compile PROJECT for IMAGE into build/pipeline.yaml
	$(BIN)/ciclo compile $(PROJECT) --image $(IMAGE) -o build/pipeline.yaml

.PHONY: release
release: env ## write every component and the pipeline as files for IMAGE into build/release
	$(BIN)/python -P -m ciclo.pipelines.release build/release --image $(IMAGE)

.PHONY: images
images: ## build the two images with Docker (BUILD_ARGS go to docker build)
	docker build $(LABELS) $(BUILD_ARGS) --target pipeline -t $(IMAGE) .
	docker build $(LABELS) $(BUILD_ARGS) --target serving -t $(SERVING_IMAGE) .

.PHONY: test-images
test-images: env ## run the training pipeline in the built image (needs a Docker engine and `make images`)
	CICLO_TEST_IMAGE=$(IMAGE) CICLO_TEST_SERVING_IMAGE=$(SERVING_IMAGE) $(BIN)/python -m pytest tests/images

.PHONY: lock
lock: $(UV) ## resolve the dependencies anew and write requirements/*.txt with hashes
	$(UV) $(COMPILE) --upgrade --extra pipeline --extra lightgbm --extra model-registry --extra dev pyproject.toml -o requirements/dev.txt
	$(UV) $(COMPILE) --upgrade --extra pipeline -c requirements/dev.txt pyproject.toml -o requirements/pipeline.txt
	$(UV) $(COMPILE) --upgrade --no-deps --extra lightgbm -c requirements/dev.txt pyproject.toml -o requirements/lightgbm.txt
	$(UV) $(COMPILE) --upgrade --extra serving pyproject.toml -o requirements/serving.txt
	$(UV) $(COMPILE) --upgrade --group pyproject.toml:build -o requirements/build.txt
	$(UV) $(COMPILE) --upgrade --group pyproject.toml:spark -c requirements/dev.txt -o requirements/spark.txt

.PHONY: clean
clean: ## remove everything that was built, environments too
	rm -rf build .venv .venv-serving .venv-spark *.egg-info .pytest_cache .mypy_cache .ruff_cache

build/uv/bin/uv:
	$(PYTHON) -m venv build/uv
	build/uv/bin/pip install --quiet --require-hashes -r requirements/build.txt

build/env.stamp: pyproject.toml requirements/build.txt requirements/dev.txt requirements/serving.txt | $(UV)
	$(UV) venv --quiet --allow-existing --python 3.11 .venv
	$(UV) venv --quiet --allow-existing --python 3.11 .venv-serving
	$(UV) pip sync --quiet --require-hashes --compile-bytecode --python .venv requirements/dev.txt
	$(UV) pip sync --quiet --require-hashes --compile-bytecode --python .venv-serving requirements/serving.txt
	mkdir -p build/src/ciclo && ln -sfn ../../../components ../../../pipelines build/src/ciclo
	$(UV) pip install --quiet --python .venv --no-deps --build-constraints requirements/build.txt --editable .
	$(UV) pip install --quiet --python .venv-serving --no-deps --build-constraints requirements/build.txt --editable .
	mkdir -p build && touch $@

build/spark.stamp: build/env.stamp requirements/spark.txt
	$(UV) venv --quiet --allow-existing --python 3.11 .venv-spark
	$(UV) pip sync --quiet --require-hashes --python .venv-spark requirements/dev.txt requirements/spark.txt
	$(UV) pip install --quiet --python .venv-spark --no-deps --build-constraints requirements/build.txt --editable .
	touch $@
