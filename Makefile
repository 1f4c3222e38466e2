# Three commands for a fresh machine with Python 3.11 and pip: `make demo`, `make demo-lifecycle` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo demo-lifecycle test test-all bench docs links stubs hooks clean

demo: $(VENV)/.demo
	$(BIN)/vestige demo

# A year of deletions, in runs/year; on Adult where VESTIGE_DATA names a folder that has it.
demo-lifecycle: $(VENV)/.lifecycle
	rm -rf runs/year
	$(BIN)/python examples/lifecycle/year.py runs/year

# The quick part of the tests; `make test-all` runs those marked slow as well. Compiled tests are kept for the second worker.
# What passing tests wrote, tens of thousands of files, is removed when they have ended, and nobody waits for it.
test: PICKED := -m 'not slow'
test test-all: $(VENV)/.dev
	$(BIN)/ruff check src tests benchmarks docs/conf.py docs/_ext
	$(BIN)/ruff format --check src tests benchmarks docs/conf.py docs/_ext
	@echo "mypy, and pytest beside it"; $(BIN)/mypy & types=$$!; folder=$$(mktemp -d); \
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 2 --dist worksteal --basetemp=$$folder/t $(PICKED); tests=$$?; \
	if [ $$tests = 0 ]; then rm -rf $$folder >/dev/null 2>&1 & else echo "what the tests wrote is in $$folder"; fi; \
	wait $$types || { echo 'mypy found faults, see above'; exit 1; }; exit $$tests

# The site, in docs/_build/html: nothing is fetched, and a warning is a fault.
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -W -n --keep-going -q -b html docs docs/_build/html

# Every link within the site; its anchors are checked by the build, where a reference without a target is a fault.
links: docs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'linkchecker>=10.6'
	printf '[checking]\nmaxrequestspersecond=1000\n[filtering]\ncheckextern=0\n' > docs/_build/linkcheckerrc
	$(BIN)/linkchecker -f docs/_build/linkcheckerrc --no-status docs/_build/html/index.html

stubs: $(VENV)/.dev
	$(BIN)/python tests/stubs.py

hooks: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pre-commit>=4'
	$(BIN)/pre-commit install

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# A stamp names what was installed; it is renewed when the dependencies change.
$(VENV)/.lifecycle: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ledger]'
	touch $@

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torch]'
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/.demo $(VENV)/.lifecycle

$(VENV)/.docs: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@ $(VENV)/.demo $(VENV)/.lifecycle

clean:
	rm -rf $(VENV) runs dist docs/_build docs/jupyter_execute docs/reference/api docs/methods/samples docs/methods/texts docs/measures/samples docs/measures/texts .pytest_cache .mypy_cache .ruff_cache .hypothesis
