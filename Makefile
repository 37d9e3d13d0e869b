# Everything runs from a fresh clone with Python 3.11+ and make. No server has to be installed first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCK := infra/dependencies/requirements.lock
# What looks at the dependencies lives apart from them: it has many of its own.
SUPPLY := $(VENV)/supply
PORT ?= 8000
DATA_DIR ?=
# What `make real` replays.
DATA ?= ../shared/data/vitoria-appointments.csv.gz
# Of `make bench`, only these rows.
ROWS ?=
# How long `make fuzz` runs.
MINUTES ?= 10
# Of `make torture`: short or long, and which faults: the same for the same seed.
PROFILE ?= short
SEED ?= random
# Of `make torture-bites`, only these bugs.
BUGS ?=
# Of `make audit`: 1, to fail also where the advisories cannot be reached.
STRICT ?=
# Two workers: each has its own PostgreSQL, Valkey and broker. A test that ends its worker is tried again, not for ever.
WORKERS ?= 2

.PHONY: dev test check real bench fuzz torture torture-bites test-kafka lock sbom audit format clean help
.DEFAULT_GOAL := help

help:
	@echo "make dev         everything at once on embedded servers; PORT=8000 DATA_DIR=<directory>"
	@echo "make test        the whole test suite, on the same real servers"
	@echo "make check       pre-commit: ruff, mypy, import-linter"
	@echo "make real        replay 39,596 real appointments through the HTTP API"
	@echo "make bench       what it costs, beside no-ops, CRUD and others; ROWS=<key,key> for some of the rows"
	@echo "make fuzz        requests made from the OpenAPI document, against a running API; MINUTES=10"
	@echo "make torture     everything killed, paused, cut off and starved, then judged; PROFILE=short SEED=<number>"
	@echo "make torture-bites  one bug at a time is planted in what is tortured; each must be caught. BUGS=<name,name>"
	@echo "make test-kafka  broker contracts and one journey on Apache Kafka itself (needs Java and Maven)"
	@echo "make lock        pin every dependency anew, by version and hash"
	@echo "make sbom        what Daybook is made of, as CycloneDX, into sbom.json"
	@echo "make audit       whether a known advisory concerns any of it"

# Installed again only when what is to be installed has changed. Nothing whose hash is not in the lock is.
$(STAMP): pyproject.toml $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Daybook needs Python 3.11 or later: make PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

dev: $(STAMP)
	@exec $(BIN)/daybook dev --port '$(PORT)' $(if $(DATA_DIR),--data-dir '$(DATA_DIR)')

test: $(STAMP)
	@exec $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --max-worker-restart 0

# The hooks are the list of checks: what a commit must pass is what CI asks for.
check: $(STAMP)
	@exec $(BIN)/pre-commit run --all-files --show-diff-on-failure

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

real: $(STAMP)
	@exec $(BIN)/daybook real --data '$(DATA)' $(if $(DATA_DIR),--data-dir '$(DATA_DIR)')

test-kafka: $(STAMP)
	@exec env DAYBOOK_TEST_BROKER=apache $(BIN)/python -m pytest -m kafka

bench: $(STAMP)
	@exec $(BIN)/python -m tests.bench $(if $(ROWS),--rows '$(ROWS)')

$(SUPPLY)/.installed: Makefile
	@$(PYTHON) -m venv $(SUPPLY)
	@$(SUPPLY)/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit~=2.10' 'cyclonedx-bom~=7.5' 'uv>=0.9'
	@touch $@

# One lock for every Python from 3.11 on and every system.
lock: $(SUPPLY)/.installed
	@$(SUPPLY)/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-header --quiet --upgrade --output-file $(LOCK)

sbom: $(SUPPLY)/.installed
	@$(SUPPLY)/bin/cyclonedx-py requirements $(LOCK) --pyproject pyproject.toml --output-reproducible -o sbom.json
	@echo "sbom.json: $$(grep -c '"purl"' sbom.json) packages"

# Fails where an advisory is known. Where it could not ask it says so, and fails with STRICT=1 only.
audit: $(SUPPLY)/.installed
	@$(SUPPLY)/bin/python infra/dependencies/audit.py $(SUPPLY)/bin/pip-audit || { test $$? = 3 && test -z '$(STRICT)'; }

fuzz: $(STAMP)
	@exec $(BIN)/python -m tests.fuzz --minutes '$(MINUTES)'

torture: $(STAMP)
	@exec $(BIN)/python -m tests.torture --profile '$(PROFILE)' --seed '$(SEED)'

torture-bites: $(STAMP)
	@exec $(BIN)/python -m tests.torture.bites --bugs "$(BUGS)" --seed '$(SEED)'

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
