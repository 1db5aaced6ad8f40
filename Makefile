# Two commands do everything, set-up included: `make demo` and `make test`. `make help` lists the rest.
#
# PYTHON   the interpreter that the virtual environment is made from (3.11 or later)
# JOBS     how many processes the tests run in
# FUZZ     seconds of fuzzing, over all targets together
# TIME     how long `make demo` runs, as in TIME=20s; until Ctrl-C without it

PYTHON ?= python3
JOBS   ?= 2
FUZZ   ?= 30
TIME   ?=
DEMO   ?= $(BIN)/netfeed demo $(if $(TIME),--duration $(TIME))

# Bytecode is written, whatever the environment says: else each of a hundred processes compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN  := $(VENV)/bin
RUN  := $(BIN)/python

# A run on the other build, or on the sanitized core, would prove nothing in PLAIN: codecs and machines that are the same
# Python in every build, and what asks no more of books, prices and frames than the tests of these do. COMPILED is run on
# every build: there what is compiled does its part in something larger.
COMPILED := tests/wire/test_capture.py tests/feed/test_delivery.py tests/feed/test_snapshot_kinds.py \
    tests/engine/test_hot_engine.py tests/engine/test_pricer.py tests/engine/test_chain.py
PLAIN    := $(filter-out $(COMPILED),$(wildcard tests/feed/test_*.py tests/wire/test_*.py)) \
    $(filter-out $(wildcard tests/sim/test_*world*.py),$(wildcard tests/sim/test_*.py)) \
    $(filter-out tests/latency/test_histogram.py,$(wildcard tests/latency/test_*.py)) \
    $(addprefix tests/transport/raw/test_,assemble.py bpf.py filter.py xdp_program.py) \
    $(filter-out $(COMPILED) $(wildcard tests/engine/test_*black*.py),$(wildcard tests/engine/test_*.py)) \
    tests/app/host tests/cli/test_tune.py tests/cli/test_latency_reports.py tests/cli/test_igmp.py \
    $(patsubst %,tests/app/test_%.py,capture certificates clock discovery drill_verdict listing queue recognise resolve \
        rotation sim_config trust venue_kinds venue_places) \
    $(patsubst %,tests/app/trading/test_%.py,control demo_plan engine_view kill notices order_journal order_limits secrets \
        session_numbers session_places stock) \
    $(patsubst %,tests/proto/test_%.py,backoff bucket http jsonrpc ouch_list ouch_orders soupbintcp stack starbase_orders tls) \
    $(patsubst %,tests/transport/test_%.py,loop race tcp_options) \
    $(patsubst %,tests/venues/test_%.py,chain deribit_events deribit_orders doubles entries instrument refresh) \
    tests/host tests/tools tests/test_house.py tests/test_machine_laws.py
# tests/core holds each twin against its core by itself; what is documented is run once.
TWINS    := $(addprefix --ignore=,$(PLAIN) tests/core tests/fuzz tests/proto tests/test_docs.py)

# What the compiled core is built from, and the modules it becomes.
PYX     := $(shell find src/netfeed -name '*.pyx')
PXD     := $(shell find src/netfeed -name '*.pxd' -o -name '*.pxi' -o -name '*.h')
MODULES := $(subst /,.,$(patsubst src/%.pyx,%,$(PYX)))

# The stamps lie inside the environment, so that they go when it goes; one per interpreter, so that naming another
# one makes the environment anew.
INSTALLED := $(VENV)/.installed-$(subst /,_,$(PYTHON))
BUILT     := $(VENV)/.built

.PHONY: help demo test core lint types test-compiled test-pure test-marked fuzz sanitize wheel format clean distclean \
    sanitized-core types+sanitized-core test-marked+wheel
.NOTPARALLEL:
.DEFAULT_GOAL := help

help:
	@echo "make demo           a simulated venue, its feed, and an engine that trades on it, live; until Ctrl-C, or TIME=20s"
	@echo "make test           everything below that checks, as CI runs it"
	@echo "make core           environment and compiled core only"
	@echo "make lint           ruff: rules and format            make format   let ruff rewrite"
	@echo "make types          mypy --strict, and stubtest of every compiled module"
	@echo "make test-compiled  the default pytest run            make test-pure   what has a twin, on the plain Python twins"
	@echo "make test-marked    the tests marked slow, net, root"
	@echo "make fuzz           every decoder on mutated bytes, FUZZ=$(FUZZ) seconds in all"
	@echo "make sanitize       the tests that reach the core, on one built with ASan, UBSan and bounds checks"
	@echo "make wheel          build sdist and wheel, import every module of it in a clean environment"
	@echo "make clean          what was built                    make distclean   the environment too"

# -- set-up: quick when nothing has changed ------------------------------------------------------------------------

core: $(BUILT)

$(INSTALLED): pyproject.toml setup.py tools/bootstrap.sh
	tools/bootstrap.sh "$(PYTHON)" $(VENV)
	@rm -f $(VENV)/.installed-* && touch $@

$(BUILT): $(INSTALLED) $(PYX) $(PXD)
	$(RUN) setup.py --quiet build_ext --inplace
	@touch $@

# -- the main job ----------------------------------------------------------------------------------------------------

demo: core
	$(DEMO)

# -- the checks ------------------------------------------------------------------------------------------------------

test: lint types+sanitized-core test-compiled test-pure fuzz test-marked+wheel sanitize
	@echo "make test: all checks passed"

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: core
	$(BIN)/mypy
	$(RUN) -m mypy.stubtest --mypy-config-file pyproject.toml --allowlist tools/stubtest_allowlist.txt \
	    --ignore-unused-allowlist $(MODULES)

test-compiled: core
	$(RUN) -m pytest -n $(JOBS)

test-pure: core
	NETFEED_PURE=1 $(RUN) -m pytest -n $(JOBS) $(TWINS)

# One process more than elsewhere: these wait more than they compute. pytest says 5 when no test carries such a mark.
test-marked: core
	$(RUN) -m pytest -n $$(($(JOBS) + 1)) -m "slow or net or root" || [ $$? -eq 5 ]

fuzz: core
	$(RUN) tests/fuzz/run.py --seconds $(FUZZ)

sanitized-core: core
	tools/sanitize.sh build $(RUN)

sanitize: sanitized-core
	tools/sanitize.sh run $(RUN) -n $(JOBS) $(addprefix --ignore=,$(PLAIN))

wheel: $(INSTALLED)
	$(RUN) tools/check_wheel.py

# Two that leave one of two processors idle, side by side; what the second says comes after the first.
types+sanitized-core test-marked+wheel: core
	@said=$$(mktemp); $(MAKE) --no-print-directory $(lastword $(subst +, ,$@)) >$$said 2>&1 & beside=$$!; \
	    $(MAKE) --no-print-directory $(firstword $(subst +, ,$@)); first=$$?; \
	    wait $$beside; second=$$?; cat $$said; rm -f $$said; [ $$first -eq 0 ] && [ $$second -eq 0 ]

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist src/*.egg-info $(BUILT)
	find src -name '*.so' -delete -o -name '*.c' -path '*/netfeed/*' -delete
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
