"""A layer of ours beside PyG's, with the same parameters, on the same graphs."""

from typing import Any

import torch
from hypothesis import strategies as st

from sparsegnn.testing.graphs import EdgeList


@st.composite
def edge_lists(draw: st.DrawFn, square: bool = False) -> EdgeList:
    """Small graphs, with isolated nodes, repeated edges, loops, or without any edge."""
    num_src = draw(st.integers(1, 9))
    num_dst = num_src if square else draw(st.integers(1, 9))
    node = st.tuples(st.integers(0, num_src - 1), st.integers(0, num_dst - 1))
    edges = draw(st.lists(node, max_size=25))
    index = torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).t().contiguous()
    return EdgeList(index, num_src, num_dst)


def load(theirs: torch.nn.Module, ours: torch.nn.Module) -> None:
    """Gives ours the parameters of theirs; their state dicts fit both ways."""
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.load_state_dict(ours.state_dict(), strict=True)


def results(
    conv: torch.nn.Module, y: torch.Tensor, *leaves: torch.Tensor | None
) -> dict[str, torch.Tensor]:
    """The output and the gradients of leaves and parameters, by name."""
    wanted = {f"leaf {i}": leaf for i, leaf in enumerate(leaves) if leaf is not None}
    wanted |= {name: p for name, p in conv.named_parameters() if p.requires_grad}
    upstream = torch.randn(y.shape, generator=torch.Generator().manual_seed(9), dtype=y.dtype)
    found = torch.autograd.grad(y, list(wanted.values()), upstream, allow_unused=True)
    pairs = zip(wanted.items(), found, strict=True)
    return {"y": y.detach()} | {n: p.new_zeros(p.shape) if g is None else g for (n, p), g in pairs}


def assert_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """1e-10 in float64, 1e-5 in float32."""
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        bound = 1e-10 if expected.dtype == torch.float64 else 1e-5
        torch.testing.assert_close(
            ours[name], expected, rtol=bound, atol=bound, msg=lambda m, n=name: f"{n}: {m}"
        )
