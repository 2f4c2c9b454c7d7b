# make demo | install | test | lint | bench | soak | gpu | abi
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TORCH_CPU := torch==2.13.0
NATIVE := $(shell find csrc -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' -o -name CMakeLists.txt)
export SPARSEGNN_OUT ?= out
export CMAKE_BUILD_PARALLEL_LEVEL ?= 2

.PHONY: demo install test lint format bench soak gpu abi clean

demo: install
	$(BIN)/sparsegnn prune --config bench/demo.toml --out $(SPARSEGNN_OUT)/demo --overwrite

install: $(STAMP)

# The CPU build of torch unless a GPU and nvcc are both present; an installed torch is kept.
$(STAMP): pyproject.toml setup.py CMakeLists.txt $(NATIVE)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip
	$(BIN)/python -m pip install -q "setuptools>=77" wheel "pybind11>=2.13" "cmake>=3.25" ninja numpy
	$(BIN)/python -c "import torch" 2>/dev/null || \
	if command -v nvcc >/dev/null && command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; \
	then $(BIN)/python -m pip install -q "torch>=2.11"; \
	else $(BIN)/python -m pip install -q "$(TORCH_CPU)" || $(BIN)/python -m pip install -q "torch>=2.11"; fi
	$(BIN)/python -m pip install -q --no-build-isolation -e ".[dev]"
	touch $@

test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	git ls-files 'csrc/*.h' 'csrc/*.cpp' 'csrc/*.cu' 'csrc/*.cuh' | xargs $(BIN)/clang-format --dry-run -Werror

format: install
	$(BIN)/ruff check --fix . || true
	$(BIN)/ruff format .
	git ls-files 'csrc/*.h' 'csrc/*.cpp' 'csrc/*.cu' 'csrc/*.cuh' | xargs $(BIN)/clang-format -i

bench: install
	$(BIN)/python -m bench $(if $(FULL),--full) $(if $(QUICK),--quick) $(if $(PEERS),--peers $(PEERS)) $(if $(KEEP),--keep-memory)

# Are compiled models ever slower than dense ones? 240 generated cases, ten minutes; fails if one is.
soak: install
	$(BIN)/python -m bench.never_slower $(SOAK_ARGS)

# Needs an NVIDIA GPU; says so in one sentence and succeeds where there is none. Installs nothing and
# needs no network: takes the first Python whose torch sees a GPU, and builds in place with it.
gpu:
	@for python in $(BIN)/python $(PYTHON); do \
	  if $$python -c "import torch; raise SystemExit(not torch.cuda.is_available())" 2>/dev/null; \
	  then exec $$python bench/gpu/run.py $(GPU_ARGS); fi; done; \
	if test -x $(BIN)/python; then exec $(BIN)/python bench/gpu/run.py $(GPU_ARGS); fi; \
	echo "make gpu: $(PYTHON) has no torch that sees an NVIDIA GPU, so nothing was run."

# Loads the one built _C.so in other releases of torch, a CUDA build among them: downloads gigabytes.
abi: install
	$(BIN)/python tests/abi/run.py

clean:
	rm -rf build $(SPARSEGNN_OUT) sparsegnn/*.so
