# make demo   deblurs the bundled sample and prints PSNR before and after; writes demo/
# make test   runs the default tests; make test-slow runs all of them
# make fuzz   tries 20,000 spoilt inputs of every kind, for hours; EXAMPLES=5000 for fewer
# make dist   builds wheel and sdist into dist/; .ci/smoke dist/*.whl tries one elsewhere
# make man    regenerates the man pages, after any change of an option
# make pictures   draws the pictures of README and docs/ anew, from the bundled sample
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

EXAMPLES ?= 20000
DIST ?= dist

.PHONY: demo test test-slow fuzz lint dist man completion pictures install clean

$(VENV)/.installed: setup.cfg pyproject.toml Makefile
	$(PYTHON) -m venv $(VENV)
	@echo "installing PyTorch and the other packages: some minutes, once"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	for section in 1 5; do mkdir -p $(VENV)/share/man/man$$section; \
		ln -sf "$(CURDIR)"/man/*.$$section $(VENV)/share/man/man$$section; done
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	touch $@

install: $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/spikedeblur simulate sample -o demo/sample -y
	$(BIN)/spikedeblur deblur demo/sample/blurry.mkv --spikes demo/sample/spikes.dat \
		-o demo/deblurred.mkv --compare side -y
	$(BIN)/spikedeblur benchmark demo/sample

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not slow" --numprocesses auto --dist loadfile --timeout 150

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest

fuzz: $(VENV)/.installed-test
	FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -o timeout=0 tests/fuzz

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

dist:
	$(PYTHON) -m venv build/tools
	build/tools/bin/python -m pip install --quiet --disable-pip-version-check build
	rm -rf $(DIST)
	build/tools/bin/pyproject-build --outdir $(DIST) .

man: $(VENV)/.installed
	$(BIN)/python -m spikedeblur.cli.manpage man

completion: $(VENV)/.installed # what shells load; it asks the program, and changes with click alone
	_SPIKEDEBLUR_COMPLETE=bash_source $(BIN)/spikedeblur > man/completion/spikedeblur
	_SPIKEDEBLUR_COMPLETE=zsh_source $(BIN)/spikedeblur > man/completion/_spikedeblur_completion
	_SPIKEDEBLUR_COMPLETE=fish_source $(BIN)/spikedeblur > man/completion/spikedeblur.fish

pictures: $(VENV)/.installed
	$(BIN)/python docs/pictures/make.py

clean:
	rm -rf $(VENV) demo build dist *.egg-info
