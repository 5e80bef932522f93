# What a fresh machine needs: python3 (3.11 or newer) with venv, make, a C library that PyPI's wheels know (any Debian).
# Everything else goes into .venv, in the versions that constraints.txt names.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: up test bench soak trace named chromium nginx clean

up: .venv/server
	@$(BIN)/reactorium up

test: export PYTHONDONTWRITEBYTECODE := # each of pytest's processes would compile everything anew
test: .venv/dev chromium nginx
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/oxlint --deny-warnings ui/page
	$(BIN)/pytest -q -n 3 -m "not system"
	$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m system

bench: .venv/dev
	$(BIN)/python -m bench

# An hour of faults (tests/faults/), a thousand kills, ten million frames; make soak SECONDS=600 SEED=7 REACTORS=6 KILLS=0 FRAMES=0
soak: SECONDS := 3600
soak: SEED := $(shell date +%s)
soak: REACTORS := 3
soak: KILLS := 1000
soak: FRAMES := 10000000
soak: .venv/dev
	@$(BIN)/python -m tests.faults.soak --seconds $(SECONDS) --seed $(SEED) --reactors $(REACTORS) \
	  --kills $(KILLS) --frames $(FRAMES) $(if $(REPLAY),--replay "$(REPLAY)")

trace: named .venv/dev
	@$(BIN)/python -m tests.system.trace "$(FILE)"

# The page is tried in a real browser.
chromium:
	@command -v chromium >/dev/null || { \
	  test "$$(id -u)" = 0 && echo "installing chromium" && apt-get -qq update && \
	  apt-get -qq install -y --no-install-recommends chromium >/dev/null; } || \
	  { echo "chromium is missing: apt install chromium"; exit 1; }

# The gateway is tried behind the real nginx, which is not to be started as a service here.
nginx:
	@PATH="$$PATH:/usr/sbin" command -v nginx >/dev/null || { \
	  test "$$(id -u)" = 0 && echo "installing nginx" && apt-get -qq update && \
	  RUNLEVEL=1 apt-get -qq install -y --no-install-recommends nginx >/dev/null; } || \
	  { echo "nginx is missing: apt install nginx"; exit 1; }

named:
	@test -f "$(FILE)" || { echo "which trace? make trace FILE=path/to/trace.csv"; exit 2; }

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info

# Each environment is complete when its mark is there.
.venv/server: .venv/python pyproject.toml constraints.txt
	@echo "installing reactorium into .venv"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[server]'
	@touch $@

.venv/dev: .venv/server
	@echo "installing the tools of 'make test' into .venv"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[server,dev]'
	@touch $@

.venv/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: apt install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than 3.11: name a newer one with make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "venv is missing: apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@
