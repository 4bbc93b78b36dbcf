# Thin: each target calls the command line of the project. `make run`, then open the address it prints.
# Options: make run PORT=8080 REPO=/path/to/a/git/repository DEMO=false

UV = 0.13.8
export PORT REPO DEMO
# The tests run in one shuffled order, so that a failure can be seen again; make test SEED=7 tries another.
SEED ?= 1

PYTHON = .venv/bin/python
SYNC = $(PYTHON) -m uv sync --frozen --inexact --quiet

.PHONY: run test lint bench pictures sqlmap lock clean
.DELETE_ON_ERROR:

run: .venv/.run
	@exec $(PYTHON) -m app run

test: .venv/.test
	@exec $(PYTHON) -m pytest -n 2 --dist loadgroup --randomly-seed=$(SEED) $(ARGS)

lint: .venv/.test
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

bench: .venv/.test
	@exec $(PYTHON) -m bench $(ARGS)

# Every page in light and dark, on a desktop and a phone, and in Arabic: into var/screenshots.
pictures: .venv/.test
	@rm -rf var/screenshots
	@exec $(PYTHON) -m pytest -q tests/e2e/test_pages.py tests/e2e/test_right_to_left.py $(ARGS)

sqlmap: .venv/.test
	@exec $(PYTHON) -m tests.contract.sqlmap $(ARGS)

lock: .venv/.uv
	$(PYTHON) -m uv lock

# As root, the database of a folder that others cannot enter lies outside, and var/postgres is a link to it.
clean:
	@if [ -L var/postgres ]; then data=$$(readlink var/postgres); \
	  case $$data in */guildhall-*/postgres) rm -rf "$${data%/postgres}" ;; esac; fi
	rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps cost nothing when neither the lock file nor the manifest changed.
.venv/.run: .venv/.uv uv.lock pyproject.toml
	@echo "Installing what Guildhall needs …"
	@$(SYNC) --no-dev || { echo "The packages cannot be installed: see the message above, and check the network or the package index." >&2; exit 1; }
	@touch $@

.venv/.test: .venv/.uv uv.lock pyproject.toml
	@echo "Installing what Guildhall and its tests need …"
	@$(SYNC) || { echo "The packages cannot be installed: see the message above, and check the network or the package index." >&2; exit 1; }
	@touch .venv/.run $@

.venv/.uv:
	@for python in python3.12 python3.11 python3 python; do \
	  "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
	    2>/dev/null && break; \
	  python=; \
	done; \
	[ -n "$$python" ] || { echo "Guildhall needs Python 3.11 or 3.12 with its venv module; install one of them and run make again." >&2; exit 1; }; \
	{ [ -x $(PYTHON) ] && $(PYTHON) -c 'import pip' 2>/dev/null; } || "$$python" -m venv --clear .venv \
	  || { echo "The folder .venv cannot be made: see the message above; $$python with its venv module must work, and this folder be writable." >&2; exit 1; }; \
	$(PYTHON) -m pip install --quiet --disable-pip-version-check "uv==$(UV)" \
	  || { echo "The tool uv cannot be installed: see the message above, and check the network or the package index." >&2; exit 1; }; \
	touch $@
