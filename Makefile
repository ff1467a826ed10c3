# make demo   deblurs the bundled sample and prints PSNR before and after; writes demo/
# make test   runs the default tests; make test-slow runs all of them
# make man    regenerates the man pages, after any change of an option
# make pictures   draws the pictures of README and docs/ anew, from the bundled sample
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow lint man pictures install clean

$(VENV)/.installed: setup.cfg pyproject.toml Makefile
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
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
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy

man: $(VENV)/.installed
	$(BIN)/python -m spikedeblur.cli.manpage man

pictures: $(VENV)/.installed
	$(BIN)/python docs/pictures/make.py

clean:
	rm -rf $(VENV) demo build dist *.egg-info
