# Each target is one command on a fresh machine: it makes .venv, installs what it needs into it, builds.
#
#   make demo      build, then media and a file between processes   make bench     benchmarks beside the peers
#   make test      build and pass the tests                         make interop   against browsers and other stacks
#   make lint      ruff, mypy, cython-lint, clang-format            make fuzz      short run of every fuzz target
#   make sanitize  C tests under ASan and UBSan                     make wheel     a wheel, tested in a fresh venv
PYTHON ?= python3
VENV   ?= .venv
JOBS   ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install -q
FUZZ_SECONDS ?= 10

SOURCES := $(shell find native rtcore -name '*.[ch]' -o -name '*.pyx' -o -name '*.pxd') CMakeLists.txt pyproject.toml

.PHONY: demo test unit bench interop fuzz lint sanitize wheel native build clean check-machine
.DELETE_ON_ERROR:

demo: build
	$(PIP) -e '.[plot]' --no-build-isolation -Cbuild-dir=build/editable
	$(BIN)/rtcore demo

test: build native
	$(PIP) -e '.[test]' --no-build-isolation -Cbuild-dir=build/editable
	RTCORE_BUILD=build/native $(BIN)/python -m pytest tests/unit tests/sim $(ARGS)

build: $(VENV)/built

check-machine:
	@PYTHON=$(PYTHON) sh tools/check_machine.sh

$(VENV)/ready: | check-machine
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	$(PIP) 'scikit-build-core>=0.10' 'cython>=3.1' 'cmake>=3.22' ninja
	touch $@

$(VENV)/built: $(VENV)/ready $(SOURCES)
	$(PIP) -e . --no-build-isolation -Cbuild-dir=build/editable
	touch $@

# The C library with its test programs and simulations.
native: $(VENV)/ready
	PATH="$(abspath $(BIN)):$$PATH" cmake -S . -B build/native -G Ninja -DRTCORE_PYTHON=OFF -DRTCORE_TESTS=ON
	$(BIN)/ninja -C build/native --quiet

sanitize: $(VENV)/ready
	PATH="$(abspath $(BIN)):$$PATH" cmake -S . -B build/sanitize -G Ninja -DRTCORE_PYTHON=OFF -DRTCORE_TESTS=ON -DRTCORE_SANITIZE=ON
	$(BIN)/ninja -C build/sanitize --quiet
	$(PIP) 'pytest>=8' 'pytest-timeout>=2.3'
	RTCORE_BUILD=build/sanitize RTCORE_SANITIZED=1 $(BIN)/python -m pytest tests/unit/test_native.py $(ARGS)

fuzz: $(VENV)/ready
	PYTHON=$(BIN)/python sh tests/fuzz/run.sh $(FUZZ_SECONDS)

lint: build
	$(PIP) -e '.[lint]' --no-build-isolation -Cbuild-dir=build/editable
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/cython-lint rtcore/native/*.pyx
	$(BIN)/clang-format --dry-run --Werror $$(git ls-files 'native/*.[ch]' 'tests/*.[ch]')

bench: build
	$(PIP) -e '.[bench]' --no-build-isolation -Cbuild-dir=build/editable
	$(BIN)/python -m benchmarks.peers.install
	$(BIN)/python -m pytest benchmarks --benchmark-group-by=group --benchmark-sort=mean \
		--benchmark-columns=min,median,max,ops,rounds $(ARGS)

interop: build
	$(PIP) -e '.[interop]' --no-build-isolation -Cbuild-dir=build/editable
	$(BIN)/python -m benchmarks.peers.install --interop
	$(BIN)/python -m pytest tests/interop --durations=10 $(ARGS)

wheel: $(VENV)/ready
	PYTHON=$(PYTHON) sh tools/check_wheel.sh

clean:
	rm -rf build dist $(VENV)
