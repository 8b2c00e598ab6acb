PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: quote test test-long contract simulate soak soak-markets install lint types check clean bench docs coverage

SEEDS ?= 1000
FROM ?= 1

quote: install ## quote four ETH options on the simulated venue; Ctrl+C stops
	$(BIN)/mmbot quote --exchange deribit --expiry 20250606 --strikes 2800,2900

test: install ## the whole test suite, but for what `make contract` and `make test-long` run
	$(BIN)/python -m pytest -n 4 --dist worksteal --ignore tests/contract

VENUE ?=

contract: install ## every situation a venue must live through; VENUE=deribit: that one alone
	$(BIN)/python -m pytest -n 3 --dist worksteal tests/contract $(VENUE:%=--venue %)

# Where the bot decides about money, the tests beside these rooms reach nearly every line.
COVERED := core risk pricing
COVERED_AT_LEAST := 95
COVERING := tests/core tests/risk tests/pricing tests/strategies tests/properties tests/tape

coverage: install ## lines of core, risk and pricing that their own tests reach, each with a floor
	$(BIN)/coverage run -m pytest $(COVERING)
	@for room in $(COVERED); do echo; echo "mmbot/$$room"; \
		$(BIN)/coverage report --include="mmbot/$$room/*" --skip-covered --show-missing \
			--fail-under=$(COVERED_AT_LEAST) || exit $$?; \
	done

# What `make test-long PART=...` runs, each part within an hour; without PART, everything. The
# contract is of the wire.
LONG_wire := tests/wire tests/soak tests/cli/test_odd_and_harsh.py
LONG_seeds := tests/simulation
LONG_market := tests/sim tests/research
LONG_desk := tests/engine tests/cli tests/tape --ignore tests/cli/test_odd_and_harsh.py

test-long: install ## what takes minutes; PART=wire|seeds|market|desk for a part of it
	$(BIN)/python -m pytest -n 3 --dist worksteal -m long $(LONG_$(PART)) || test $$? -eq 5
	$(if $(filter-out wire,$(PART)),,$(MAKE) contract)

simulate: install ## SEEDS=5000 seeded histories with faults, in virtual time
	$(BIN)/mmbot simulate configs/deribit-eth-options.toml --faults harsh --seeds $(SEEDS) --from $(FROM)

soak: install ## 5 million messages through the real client and engine; memory must stay flat
	$(BIN)/python -m tests.soak

soak-markets: install ## 1,000 short-lived markets come and go in virtual time; nothing may grow
	$(BIN)/python -m tests.soak.markets

docs: install ## write what the documentation takes from the code: settings, the order table
	$(BIN)/python -m tests.house.generated

BASE ?=
ONLY ?=

bench: install ## speed as ratios: BASE=COMMIT to that one, ONLY=wire|turns|start|... a part of it
	$(BIN)/python -m tests.benchmarks $(BASE:%=--base %) $(ONLY:%=--only %) $(JSON:%=--json)

install: .venv/installed ## create .venv with mmbot in it

# pip says a line or more a package; here one line counts them, or one in ten where nobody looks.
# All that pip said is in PIP_LOG, and its end is shown where something went wrong.
PIP_LOG := .venv/install.log
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off \
	-c constraints.txt -e '.[dev]'

define SHOW_PIP
count=0; { $(PIP_INSTALL) 2>&1 || echo "Failed $$?"; } | tee $(PIP_LOG) | \
while read -r word what rest; do \
	case "$$word $$what" in \
	Collecting\ *) count=$$((count + 1)); \
		if [ -t 1 ]; then printf '\r      %d packages  %-40.40s' $$count "$${what%%[<>=!~;]*}"; \
		elif [ $$((count % 10)) = 0 ]; then echo "      $$count packages"; fi;; \
	"Installing collected") \
		if [ -t 1 ]; then printf '\r%-60s\r' ''; fi; \
		echo "      $$count packages"; echo "3/3  installing them: half a minute";; \
	Failed\ *) until tail -n 1 $(PIP_LOG) | grep -q '^Failed'; do sleep 0.1; done; \
		tail -n 20 $(PIP_LOG) >&2; \
		echo "not installed: all that pip said is in $(PIP_LOG)" >&2; exit $$what;; \
	esac; \
done
endef

.venv/installed: pyproject.toml constraints.txt
	@echo "installing into .venv, once: a minute or two"
	@echo "1/3  making .venv with $(PYTHON)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "2/3  downloading what it needs"
	@$(SHOW_PIP)
	@echo "installed"
	@touch $@

lint: install
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

check: lint types test coverage ## what .ci/run runs

clean:
	rm -rf .venv *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage
