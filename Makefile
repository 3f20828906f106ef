# `make` alone lists what there is.
PYTHON ?= python3
BIN := .venv/bin
TEMPLATES = $(shell find templates -name '*.html')
# When make itself is killed, what it runs is asked to stop.
TIED := $(shell command -v setpriv >/dev/null 2>&1 && echo setpriv --pdeathsig TERM --)
UV := $(shell uv --version >/dev/null 2>&1 && echo uv)
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --upgrade
.DEFAULT_GOAL := help
IN = $(BIN)/python -m relman.embedded.visit $(BIN)/python manage.py
.PHONY: help audit backup restore demo demo-reset test lint format lock bench drill pictures retention doctor

help:
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: .venv/.runtime  ## Everything on this machine with sample data, until Ctrl-C (RELMAN_PORT, RELMAN_GATEWAY_PORT, RELMAN_HOME)
	@RELMAN_DEMO=1 exec $(TIED) $(BIN)/python manage.py up

demo-reset: .venv/.runtime  ## Forget the demo's data
	@$(BIN)/python -m relman.embedded.reset

test: lint  ## All checks and tests, in real PostgreSQL, Valkey, Caddy and Chromium
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: .venv/.dev  ## Style, types, import contracts, migrations, settings, templates
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/djade --check --target-version 5.2 $(TEMPLATES)
	@$(BIN)/python -m relman.embedded sh -c '$(BIN)/python manage.py check --fail-level WARNING \
		&& $(BIN)/python manage.py makemigrations --check --dry-run'

format: .venv/.dev  ## Put code and templates into the house's style
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .
	@$(BIN)/djade --target-version 5.2 $(TEMPLATES)

bench: .venv/.dev  ## Measure: each figure beside its floor (STORED: finished promotions of the largest, 1000000)
	@for file in $$(grep -l __main__ tests/bench/*.py); do \
		echo "== $$file"; $(BIN)/python -m tests.bench.$$(basename $$file .py) || exit 1; done

pictures: .venv/.dev  ## Every page as a picture, into docs/pictures/ (through Chromium)
	@$(BIN)/python -m tests.browser.pictures

backup: .venv/.runtime  ## Everything into the new folder DIR, while RelMan runs; KEYS=file writes the keys too
	@$(IN) backup $(DIR) $(if $(KEYS),--keys $(KEYS))

restore: .venv/.runtime  ## A backup in DIR (and its KEYS) into an empty RELMAN_HOME
	@$(IN) restore $(DIR) $(if $(KEYS),--keys $(KEYS))

retention: .venv/.runtime  ## What artifacts and logs nobody needs (DAYS, KEEP), and why the rest stays; APPLY=1 deletes it
	@$(IN) retention $(if $(DAYS),--days $(DAYS)) $(if $(KEEP),--keep $(KEEP)) $(if $(APPLY),--apply)

doctor: .venv/.runtime  ## Whether all is well, in one line for each part (STOPPED=1: while RelMan is stopped)
	@$(IN) doctor $(if $(STOPPED),--no-gateway)

audit: .venv/.runtime  ## Whether the record's chain is whole; HEAD=file writes its head, KNOWN=file asks for an earlier one
	@$(IN) verify_audit $(if $(KNOWN),--checkpoint $(KNOWN)) $(if $(HEAD),--write-checkpoint $(HEAD))

drill: .venv/.dev  ## Break everything, RUNS times through the matrix of faults (or ROWS of it), and count lost and doubled
	@exec $(TIED) $(BIN)/python -m tests.faults --runs $(or $(RUNS),1) $(if $(ROWS),--rows $(ROWS))

lock:  ## Choose versions anew, within requirements/*.in (needs uv)
	@for name in runtime dev; do $(LOCK) requirements/$$name.in -o requirements/$$name.txt || exit 1; done

.venv/.dev: requirements/dev.txt pyproject.toml
	@$(call install,$<)
	@touch .venv/.dev .venv/.runtime

.venv/.runtime: requirements/runtime.txt pyproject.toml
	@$(call install,$<)
	@touch $@

# The locked packages, each checked against its hash, then RelMan itself, so that `relman` is a command.
define install
	PYTHON="$(PYTHON)" UV="$(UV)" sh requirements/install.sh $(1)
endef
