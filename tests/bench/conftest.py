import sys
from pathlib import Path

import pytest
import scipy.sparse as sp
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.inputs import EdgeList, NodeTask, power_law


@pytest.fixture
def edges() -> EdgeList:
    """A small power-law graph with isolated targets."""
    return power_law(60, 300, seed=3)


@pytest.fixture
def task() -> NodeTask:
    """A symmetric graph of 24 nodes with a hub, a pendant pair and an isolated node."""
    generator = torch.Generator().manual_seed(7)
    pairs = {(0, node) for node in range(1, 20)} | {(21, 22), (3, 4), (4, 5), (3, 5), (8, 17)}
    forward = torch.tensor(sorted(pairs)).t()
    edge_index = torch.cat([forward, forward.flip(0)], dim=1)
    x = torch.rand(24, 13, generator=generator)
    x = torch.where(x > 0.6, x, torch.zeros_like(x))
    x = x / x.sum(dim=1, keepdim=True).clamp_min(1e-9)
    nodes = torch.arange(24)
    return NodeTask(
        name="tiny",
        edge_index=edge_index,
        x=sp.csr_matrix(x.numpy()),
        y=nodes % 3,
        train_mask=nodes < 9,
        val_mask=(nodes >= 9) & (nodes < 15),
        test_mask=nodes >= 15,
        num_classes=3,
    )
