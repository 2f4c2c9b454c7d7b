"""Small random graphs, models and tickets for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sparsegnn import Graph, Mask, SparseMatrix
from sparsegnn.nn import GCN
from sparsegnn.tickets import Ticket


@dataclass
class Setup:
    """A ticket with the graph, features and model that it was made for."""

    ticket: Ticket
    model: GCN
    graph: Graph
    x: SparseMatrix


def make(
    *,
    seed: int = 0,
    nodes: int = 20,
    edges: int = 60,
    features: int = 12,
    hidden: int = 9,
    layers: int = 2,
    classes: int = 3,
    edge_sparsity: float = 0.3,
    weight_sparsity: float = 0.5,
    feature_density: float = 0.3,
    bias: bool = True,
    dtype: torch.dtype = torch.float64,
) -> Setup:
    """Draws everything from one generator; sparsities 0 and 1 are exact."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    edge_index = torch.randint(0, nodes, (2, edges), generator=generator)
    graph = Graph.from_edge_index(edge_index, num_nodes=nodes)
    dense_x = torch.where(uniform(nodes, features) < feature_density, uniform(nodes, features), 0.0)
    model = GCN(features, hidden, layers, classes, bias=bias).to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(uniform(*parameter.shape) * 2 - 1)
    state = dict(model.state_dict())
    masks = {
        key: Mask.from_bool(uniform(*value.shape) >= weight_sparsity)
        for key, value in state.items()
        if key.endswith("weight")
    }
    ticket = Ticket.for_graph(
        graph,
        edge_mask=Mask.from_bool(uniform(edges) >= edge_sparsity),
        weight_masks=masks,
        init_state={key: value + 1 for key, value in state.items()},
        state=state,
        method="random",
        config={"rounds": 1, "rates": [0.05, 0.2]},
        metrics={"test_accuracy": 0.815},
        seed=seed,
        round=1,
    )
    return Setup(ticket, model, graph, SparseMatrix.from_dense(dense_x.to(dtype)))


def masked_logits(setup: Setup) -> torch.Tensor:
    """Logits of the masked model by dense fp64 matrices, from the definition of a GCN."""
    size = setup.graph.num_nodes
    source, target = setup.graph.edge_index[:, setup.ticket.edge_mask_for(setup.graph).to_bool()]
    adjacency = torch.zeros(size, size, dtype=torch.float64)
    adjacency.index_put_((target, source), torch.ones(len(source), dtype=torch.float64), True)
    adjacency += torch.diag((adjacency.diagonal() == 0).double())
    scale = adjacency.sum(dim=1).rsqrt()
    adjacency = scale[:, None] * adjacency * scale[None, :]
    h = setup.x.to_dense().double()
    count = len(setup.model.convs)
    for layer in range(count):
        key = f"convs.{layer}.lin.weight"
        weight = setup.ticket.state[key].double() * setup.ticket.weight_masks[key].to_bool()
        h = adjacency @ h @ weight.t()
        if f"convs.{layer}.bias" in setup.ticket.state:
            h = h + setup.ticket.state[f"convs.{layer}.bias"].double()
        if layer < count - 1:
            h = h.relu()
    return h
