# One way to run everything; `make` lists it. The workflow and .ci/run call these targets and nothing else.

VENV := .venv
BIN := $(VENV)/bin
# 3.11 is what requirements.lock is made with; a newer one is taken where it is missing.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& { echo $$python; break; }; done)
PIP := -m pip --disable-pip-version-check -qq
PACKAGES := $(VENV)/.packages
INSTALLED := $(VENV)/.installed
SQL := models tests/singular
HOME_OF_DATA = $${GRACE_HOME:-data}

# Nothing here is meant for a live database.
unexport GRACE_OPERATIONAL_URL

.PHONY: help demo test soak soak-kills soak-reads install lint types format build docs-cli bench bench-audit bench-metrics freshness lock clean
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Made-up rows go into an empty database only, so a second demo refreshes what the first one wrote.
demo: install ## From nothing to the success rate by tier and the docs page, over 30 simulated days
	@$(BIN)/grace-dbt init
	@$(BIN)/python -c 'import sqlite3, sys; rows = sqlite3.connect(sys.argv[1]).execute("select 1 from action_contracts"); \
		sys.exit(rows.fetchone() is None)' "$(HOME_OF_DATA)/operational.sqlite" \
		|| $(BIN)/grace-dbt simulate --days 30 --contracts 10000 --rng-seed 7
	@$(BIN)/grace-dbt refresh
	@page=$$($(BIN)/grace-dbt docs --no-serve) && echo "Data dictionary and lineage: $$page"

# A file's tests share what they build, so a file stays in one process.
test: install ## Run every test
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# Without SEED another one each time; what fails prints how to play it again.
soak: install ## Hold the cube against its second definition over made-up histories (SEED=7 HISTORIES=1000 REFRESHES=6 ONLY=12)
	@SOAK_SEED=$(or $(SEED),$$(date +%s)) SOAK_HISTORIES=$(or $(HISTORIES),1000) SOAK_REFRESHES=$(or $(REFRESHES),6) \
		SOAK_ONLY=$(ONLY) $(BIN)/python -m pytest tests/python/test_cube_parity.py -k 'generated or incremental'

soak-reads: install ## Read in other processes while refreshes publish and a writer writes (REFRESHES=50)
	@SOAK_REFRESHES=$(or $(REFRESHES),50) $(BIN)/python -m pytest tests/python/test_reading_while_refreshing.py

soak-kills: install ## Kill refreshes at random moments, and see that nothing is lost (KILLS=200 SEED=7)
	@KILLS=$(or $(KILLS),200) KILLS_SEED=$(or $(SEED),$$(date +%s)) \
		$(BIN)/python -m pytest tests/python/test_crashes.py -k killed

install: $(INSTALLED) ## Make .venv with exactly the versions of requirements.lock

$(PACKAGES): requirements.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 is missing (python3.11 or python3 on the PATH, or make PYTHON=...)." >&2; exit 3; }
	@echo "Installing $(VENV) with $(PYTHON) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python $(PIP) install -r requirements.lock
	@touch $@

# hatchling, which builds the package, is in the lock file too: nothing is resolved here.
$(INSTALLED): $(PACKAGES) pyproject.toml
	@$(BIN)/python $(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

lint: install ## Check the style of Python and SQL, without network or database
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/sqlfluff lint --disable-progress-bar $(SQL)

types: install ## Check the types
	@$(BIN)/mypy

format: install ## Repair what a tool can repair of the style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/sqlfluff fix --disable-progress-bar $(SQL)

build: install ## Run a plain dbt build on the embedded sample, in one DuckDB file
	@mkdir -p "$(HOME_OF_DATA)"
	@$(BIN)/dbt build

docs-cli: install ## Write docs/cli.md anew from the command line itself
	@$(BIN)/python -m grace_dbt.cli.reference > docs/cli.md

bench: install ## Measure time and memory against two baselines (SIZES="10000 100000 1000000"), into benchmarks/results.md
	@$(BIN)/python benchmarks/run.py $(SIZES)

bench-audit: install ## Measure how fast audit chains are verified (SIZES="10000 1000000 10000000"), into the same page
	@$(BIN)/python benchmarks/audit.py $(SIZES)

bench-metrics: install ## Measure metrics against SQL by hand (SIZES="1000000 10000000" facts), into the same page
	@$(BIN)/python benchmarks/metrics.py $(SIZES)

freshness: install ## Measure from commit to snapshot under live writes (RATES="10 100 1000" SECONDS=40), into the same page
	@$(BIN)/python benchmarks/freshness.py $(if $(RATES),--rates $(RATES)) $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(DATABASES),--databases $(DATABASES))

lock: ## Resolve every version anew from pyproject.toml into requirements.lock
	@$(PYTHON) -m venv --clear $(VENV)-lock
	@$(VENV)-lock/bin/python $(PIP) install "$$(sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml)" -e '.[dev]'
	@{ echo "# Written by make lock: every package of .venv, tools and build backend included."; \
		$(VENV)-lock/bin/python -m pip freeze --exclude-editable; } > requirements.lock
	@rm -rf $(VENV)-lock

clean: ## Remove .venv, caches and what dbt wrote; the data stays
	@rm -rf $(VENV) $(VENV)-lock target logs dist .mypy_cache .pytest_cache .ruff_cache
