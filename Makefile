PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: quote test test-long simulate soak install lint types check clean bench

SEEDS ?= 1000
FROM ?= 1

quote: install ## quote four ETH options on the simulated venue; Ctrl+C stops
	$(BIN)/mmbot quote --exchange deribit --expiry 20250606 --strikes 2800,2900

test: install ## the whole test suite
	$(BIN)/python -m pytest -n 3 --dist worksteal

# What `make test-long PART=...` runs, each part within an hour; without PART, everything.
LONG_wire := tests/wire tests/soak tests/cli/test_odd_and_harsh.py
LONG_seeds := tests/simulation
LONG_market := tests/sim
LONG_desk := tests/engine tests/cli tests/tape --ignore tests/cli/test_odd_and_harsh.py

test-long: install ## what takes minutes; PART=wire|seeds|market|desk for a part of it
	$(BIN)/python -m pytest -n 3 --dist worksteal -m long $(LONG_$(PART)) || test $$? -eq 5

simulate: install ## SEEDS=5000 seeded histories with faults, in virtual time
	$(BIN)/mmbot simulate configs/deribit-eth-options.toml --faults harsh --seeds $(SEEDS) --from $(FROM)

soak: install ## 5 million messages through the real client and engine; memory must stay flat
	$(BIN)/python -m tests.soak

bench: install ## from a book frame to both orders on the wire, against a bare and a naive loop
	$(BIN)/python -m tests.benchmarks

install: .venv/installed ## create .venv with mmbot in it

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

lint: install
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

check: lint types test ## what .ci/run runs

clean:
	rm -rf .venv *.egg-info .pytest_cache .mypy_cache .ruff_cache
