# The table of contents of daily work. On a fresh machine `make run` or `make test` is all: whatever they need is
# installed into .venv the first time (that needs a network), and nothing is asked of the network again until
# pyproject.toml changes.

PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
    $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))) python3)
VENV := .venv
PY := $(VENV)/bin/python
# Named after what was installed and from where, so that neither `git checkout` nor a copied tree can fool it.
READY := $(VENV)/.ready-$(shell { pwd; cat pyproject.toml; } | cksum | cut -d' ' -f1)

# What to give the program behind a target: make run ARGS="--override log.retention.hours=1", make test ARGS="-k groups"
ARGS ?=
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help run test check conformance conformance-ci librdkafka-tests kafka-python-tests bench fuzz kill peers check-transactions rewrite docs wheel setup clean distclean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

run: $(READY) ## a broker on 127.0.0.1:9092, its files in ./pykafkad-data
	@exec $(PY) -m pykafkad serve $(ARGS)

test: $(READY) ## everything that needs no other program
	$(PY) -m pytest -n $(WORKERS) $(ARGS)

check: $(READY) ## lint, types, import layers, generated pages: what a reviewer shouldn't have to see
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m mypy -p conformance.checking
	PYTHONPATH=.:protocol $(PY) -c 'from importlinter.cli import lint_imports_command as main; main()' --no-cache
	$(PY) -m docs.pages --check

conformance: $(READY) ## every client whose toolchain is there, our broker and Apache Kafka; writes conformance/REPORT.md
	@failed=0; \
	$(PY) -m pytest conformance -n $(WORKERS) --dist loadfile --broker both --client all --timeout 300 \
	    --results conformance/results/scenarios.json $(ARGS) || failed=1; \
	$(PY) -m conformance.report && exit $$failed

conformance-ci: $(READY) ## the part of it that PyPI and Debian suffice for
	@command -v kcat >/dev/null || { [ "$$(id -u)" = 0 ] \
	    && { apt-get install -y -qq kcat || { apt-get update -qq && apt-get install -y -qq kcat; }; } >/dev/null 2>&1; } \
	    || echo 'conformance: kcat is missing, its scenarios are skipped (sudo apt-get install kcat)'
	$(PY) -m pytest conformance -n $(WORKERS) --dist loadfile --broker pykafkad $(ARGS)

librdkafka-tests: $(READY) ## librdkafka's own tests against both brokers, findings in conformance/FINDINGS.md
	$(PY) -m conformance.thirdparty librdkafka $(ARGS)

kafka-python-tests: $(READY) ## kafka-python's integration tests, likewise
	$(PY) -m conformance.thirdparty kafka-python $(ARGS)

bench: $(READY) ## docs/performance.md: our figures and Apache Kafka's, taken in turn; ARGS=--list names them
	$(PY) -m tests.bench $(ARGS)

fuzz: $(READY) ## the property tests, a hundred times longer
	FUZZ=100 $(PY) -m pytest -n $(WORKERS) --timeout 36000 -m hypothesis $(ARGS)

kill: $(READY) ## two hundred rounds of kill -9 under load; ARGS="--rounds 1000"
	$(PY) -m conformance.killing $(ARGS)

peers: $(READY) ## programs that live on transactions, killed again and again; ARGS="streams --rounds 50 --broker apache"
	$(PY) -m conformance.peers $(ARGS)

check-transactions: $(READY) ## ten minutes of transactions under faults, and a judge; ARGS="--minutes 60", ARGS=--plants
	$(PY) -m conformance.checking $(ARGS)

rewrite: $(READY) docs ## record transcripts and generated pages anew; the diff is the review
	REWRITE=1 $(PY) -m pytest -q tests/state $(ARGS)

docs: $(READY) ## write the generated pages of docs/
	$(PY) -m docs.pages

wheel: $(READY) ## dist/*.whl
	$(PY) -m build --wheel --no-isolation

setup: $(READY) ## only the set-up

clean: ## remove what tools left behind; the set-up and ./pykafkad-data stay
	rm -rf dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## remove the set-up too
	rm -rf $(VENV)

$(READY):
	@command -v $(PYTHON) >/dev/null \
	    || { echo 'python3 is missing: sudo apt-get install python3 python3-venv' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1 | cut -d' ' -f2), 3.11 or newer is needed:" \
	        'sudo apt-get install python3.11 python3.11-venv' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	    || { echo 'the venv module of python3 is missing: sudo apt-get install' \
	        "$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; exit 1; }
	@echo 'setting up $(VENV) (once; needs a network)'
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]' \
	    || { echo 'the set-up needs the package index once: repeat with a network' >&2; exit 1; }
	@rm -f $(VENV)/.ready-*
	@touch $@
