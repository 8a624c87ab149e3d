# Each target sets itself up from a fresh clone. What it takes: make, Python >= 3.10, and apt-get or brew for the rest.

# The system's first: it is built with all optimisations, and pyenv's is not, which costs a tenth of `make test`.
PYTHONS := /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11 python3.10
SCRIPTS := direnvrc.d/*.sh .ci/* awsdirenv/shell/scripts/*/awsdirenv.bash
BIN := .venv/bin
# Tests at once: some of their time they wait for a terminal, or for a life to end; those of the rooms for less of it.
JOBS := 8
QUICK_JOBS := 4
# Where the tools find the tests' world and the doubles of AWS.
TEST_PARTS := tests/support:tests/doubles

.NOTPARALLEL: # two of apt-get, or two of pip, would be in each other's way
.PHONY: help tools venv demo quick test walk agents matrix lint bench dist pictures clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

tools: ## install direnv, zsh, fish, tcsh, tmux, shellcheck, shfmt and cc where they are missing
	@.ci/tools

venv: .venv/.made ## make the virtual environment, again only when pyproject.toml has changed

# Tests are thousands of short processes, which must not compile the same modules again and again.
unexport PYTHONDONTWRITEBYTECODE

# pip compiles one file after the other, and much that nobody imports. Templates that are no Python do not matter.
.venv/.made: pyproject.toml
	@for needed in ensurepip sys; do for python in $(PYTHONS); do \
	  if $$python -c "import $$needed, sys; sys.exit(sys.version_info < (3, 10))" >/dev/null 2>&1; then \
	    echo "making .venv with $$python" >&2; \
	    PYTHON=$$python .ci/tools python3-venv && \
	    $$python -m venv .venv && \
	    $(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile --editable '.[dev]' && \
	    { $(BIN)/python -m compileall -qq -j 0 -x '/(moto|mypyc?|networkx|pip|pygments|setuptools|sympy)/' .venv/lib || :; } && \
	    touch $@; \
	    exit; \
	  fi; \
	done; done; \
	echo "please install Python 3.10 or later" >&2; exit 1

demo: venv ## see it work, against an AWS on this machine (ARGS=--interactive: try it)
	@.ci/tools direnv
	@$(BIN)/awsdirenv demo $(ARGS)

quick: venv ## run the tests of the rooms, which start no process, in a minute
	@$(BIN)/python -m pytest -n $(QUICK_JOBS) --dist worksteal tests/unit $(ARGS)

test: tools venv ## run all tests (ARGS="-k demo": some of them)
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

matrix: tools venv ## run the main job with other shells, Pythons, programs and users (ARGS=--quick: some of it)
	@PYTHONPATH=$(TEST_PARTS) $(BIN)/python tools/matrix/matrix.py $(ARGS)

walk: tools venv ## take a random walk through folders, edits, kills and faults (STEPS=20000, SEED=12)
	@PYTHONPATH=$(TEST_PARTS) $(BIN)/python tests/support/walk.py $(if $(STEPS),--steps $(STEPS)) $(if $(SEED),--seed $(SEED))

agents: tools venv ## have fifty agents and the AWS CLI share one sign-in for twelve hours (HOURS=48, AGENTS=100)
	@HOURS=$(or $(HOURS),12) AGENTS=$(or $(AGENTS),50) $(BIN)/python -m pytest -q tests/promises/test_agents_day.py

lint: tools venv ## ruff, mypy, shellcheck and shfmt
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check
	@$(BIN)/mypy
	@shellcheck $(SCRIPTS)
	@shfmt -i 2 -ci -d $(SCRIPTS)
	@echo "ruff, mypy, shellcheck and shfmt have nothing to say" >&2

bench: tools venv ## measure what entering a directory costs (ARGS=--peers: others, too, and draw docs/bench.svg)
	@PYTHONPATH=$(TEST_PARTS) $(BIN)/python tools/bench.py --plot docs/bench.svg $(ARGS)

dist: venv ## make sdist and wheel in dist/, always the same bytes for a commit
	@.ci/package

pictures: venv ## draw docs/demo.svg and docs/scene-*.svg from real sessions
	@.ci/tools direnv
	@PYTHONPATH=$(TEST_PARTS) $(BIN)/python tools/picture.py
	@PYTHONPATH=$(TEST_PARTS) $(BIN)/python tools/scenes.py

clean: ## remove all that the targets above have made here
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find awsdirenv tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
