"""The operators are tested on every instruction set that the machine has."""

from collections.abc import Iterator

import pytest
import torch

from sparsegnn import ops

assert ops  # loads the operators

BEST = torch.ops.sparsegnn.cpu_isa()


@pytest.fixture(params=range(BEST + 1), ids=["baseline", "avx2", "avx512"][: BEST + 1])
def isa(request: pytest.FixtureRequest) -> Iterator[int]:
    assert torch.ops.sparsegnn.set_cpu_isa(request.param)
    yield request.param
    torch.ops.sparsegnn.set_cpu_isa(BEST)
