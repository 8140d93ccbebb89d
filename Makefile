# Every target sets up what it needs: a fresh clone and a Python of at least 3.11 are enough.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin

# Where the environment forbids byte code beside the source, as images often do, the venv keeps it: otherwise each process
# would compile PyTorch anew.
ifneq ($(PYTHONDONTWRITEBYTECODE),)
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/bytecode
endif

.DEFAULT_GOAL := help
.PHONY: help venv demo serve check format test test-slow bench findings

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

venv: $(VENV)/.dev ## Install everything into .venv

# A set of extras has a stamp of its own: nobody waits for the tests' tools to see the demo, and a later target adds them.
# Byte code is left to the first import: most of what is installed is never imported.
$(VENV)/.%: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what this needs into $(VENV); the first time that takes a minute or two"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e ".[$*]"
	@touch $@

demo: $(VENV)/.standalone ## A learning curve from nothing, start to end
	$(BIN)/sufficiency demo

serve: $(VENV)/.standalone,plot ## The whole service on this machine (Ctrl-C stops it)
	$(BIN)/sufficiency standalone

check: venv ## Style, types, import rules, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.check_migrations

format: venv ## Put the code into its standard form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Three files at a time, on two cores: much of a test is waiting, and with four they wait for each other. What a file's fixtures start is started once.
test: venv ## The tests, all but the slow ones
	$(BIN)/pytest -n 3 --dist loadfile --parts

test-slow: venv ## The slow tests
	$(BIN)/pytest -m slow --timeout 3600

bench: venv ## The benchmarks, each against a peer
	set -e; for script in bench/bench_*.py; do $(BIN)/python $$script; done

findings: ## What is surprising in the libraries around us, each seen anew
	set -e; for script in findings/[a-z]*-*.sh; do echo "== $$script"; PYTHON=$(PYTHON) bash $$script; done
