from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

import sparsegnn as sg
from sparsegnn.profiling import Data, Profile, RandomMasks, machine, make_subject, profile


@pytest.fixture(scope="session")
def data() -> Data:
    """Sixty nodes with links in both directions, a loop among them, and sparse features."""
    torch.manual_seed(0)
    pairs = torch.combinations(torch.arange(60))
    pairs = pairs[torch.randperm(len(pairs))[:150]].t()
    edges = torch.cat([pairs, pairs.flip(0), torch.tensor([[3], [3]])], dim=1)
    x = torch.rand(60, 40) * (torch.rand(60, 40) < 0.1)
    graph = sg.Graph.from_edge_index(edges, num_nodes=60)
    return Data("small", graph, sg.SparseMatrix.from_dense(x), 5)


@pytest.fixture(scope="session", autouse=True)
def small_calibration() -> Iterator[None]:
    """Buffers that take no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "_COPIED_BYTES", 1 << 16)
        patch.setattr(machine, "_SIDE", {"cpu": 16})
        yield


@pytest.fixture(scope="session")
def swept(data: Data, small_calibration: None) -> Profile:
    subject = make_subject("GCN", data, hidden=32)
    masks = RandomMasks(subject)
    cells = [masks.prune(*pair) for pair in ((0.4, 0.9), (0.0, 0.0), (0.2, 0.6))]
    return profile(subject, cells, torch_compile=False, seconds=0.05)
