# Every target does its own set-up in .venv/, on a machine with Python ≥ 3.11 and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# A package that pip will build differently one day is no matter of ours: its version is locked.
PIP := $(BIN)/python -W ignore:DEPRECATION -m pip
# Each process begins at another place, so that tests that wait run beside tests that compute.
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal

# Each process would compile every module and rewrite every assertion anew where an image forbids keeping what came of it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo run test check test-servers soak images bench lint format translations language migration lock clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, and $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "The venv module is missing. On Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	@echo "Installing the locked packages into $(VENV) (a minute or so, once)…"
	@$(PIP) install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PIP) install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)
	@$(BIN)/mailer demo

run: $(READY)
	@$(BIN)/mailer run

test: $(READY)
	@$(PYTEST)

# What is worth running before each commit, in under two minutes: lint, and the tests of what has changed.
check: lint
	@$(PYTEST) -q $$($(BIN)/python tests/support/changed.py)

# The long tests: a thousand kills, and five minutes of messages that a fuzzer finds. It is kept in build/fuzzing.
soak: $(READY)
	@$(PYTEST) -m soak

# Takes every picture in docs/images afresh.
images: $(READY)
	@$(BIN)/python -m pytest -q -m images tests/browser

# How fast this machine sends; the figures go into docs/reference/performance.md. Options: make bench BENCH="--million"
bench: $(READY)
	@$(BIN)/mailer bench --write docs/reference/performance.md $(BENCH)

# Tests against mail servers and a spam filter that others wrote. What they need is installed, or kept in build/servers: only root
# can do that, and run the mail servers.
test-servers: $(READY)
	@$(BIN)/python -m pytest -m servers

lint: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# Brings the catalogues in mailer/locale/catalogues up to date with the sources: new messages come without a translation,
# old ones go.
translations: build/messages.pot build/desk.pot
	@for domain in messages desk; do \
		$(BIN)/pybabel --quiet update --domain $$domain --input-file build/$$domain.pot \
			--output-dir mailer/locale/catalogues --no-fuzzy-matching --ignore-obsolete --no-wrap || exit 1; \
	done
	@$(WITHOUT_DATES) mailer/locale/catalogues/*/LC_MESSAGES/*.po

# Begins the catalogue of a language: make language TAG=pt-BR
language: CATALOGUE = mailer/locale/catalogues/$(subst -,_,$(TAG))/LC_MESSAGES/messages.po
language: build/messages.pot
	@test -n "$(TAG)" || { echo "Name the language by its tag: make language TAG=pt-BR"; exit 1; }
	@test ! -e $(CATALOGUE) || { echo "There is $(CATALOGUE) already."; exit 1; }
	@$(BIN)/pybabel --quiet init --input-file $< --output-file $(CATALOGUE) --no-wrap --locale $(subst -,_,$(TAG))
	@$(WITHOUT_DATES) -e '/^#\( \|$$\)/d' $(CATALOGUE)
	@echo "Translate $(CATALOGUE), and add $(TAG) to SITE_LANGUAGES in mailer/locale/languages.py."

# What translators would only stumble over: empty headers, and dates.
WITHOUT_DATES := sed -i -e '/^$$/{1d}' -e '/^"\(Project-Id\|Report-Msgid\|POT-\|PO-\|Last-\|Language-Team\|Generated\)/d'

.PHONY: build/messages.pot build/desk.pot
build/messages.pot: $(READY)
	@mkdir -p build
	@$(BIN)/pybabel --quiet extract --mapping pyproject.toml --no-location --output $@ .

build/desk.pot: $(READY)
	@mkdir -p build
	@$(BIN)/pybabel --quiet extract --mapping mailer/locale/desk.toml --no-location --output $@ .

# Drafts the next migration from what has changed in mailer/store/models: make migration NAME="what it does"
migration: $(READY)
	@test -n "$(NAME)" || { echo 'Say what it does: make migration NAME="mark quiet lists"'; exit 1; }
	@$(BIN)/python migrations/draft.py "$(NAME)"
	@$(BIN)/ruff check --quiet --fix migrations/versions
	@$(BIN)/ruff format --quiet migrations/versions

# Writes requirements.lock again, from the ranges in pyproject.toml.
lock:
	@$(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install --quiet uv
	@build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --extra dev --custom-compile-command "make lock" -o requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
